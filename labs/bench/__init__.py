"""The benchmark (``make bench``): what this provider does with a quota, a machine's time and its memory."""
