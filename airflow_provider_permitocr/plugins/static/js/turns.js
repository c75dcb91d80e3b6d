// When a page does its work: not twice at once, not while nobody sees it.

/** Return a function that calls another after so many milliseconds, once for all its calls until then. */
export function soon(call, ms) {
  let isDue = false;
  return () => {
    if (isDue) return;
    isDue = true;
    setTimeout(() => { isDue = false; call(); }, ms);
  };
}

/**
 * Do some work whenever the page is seen again, and as long afterwards as the work itself says.
 *
 * @param work is given a function that says after how many milliseconds to do it again.
 * @returns does it now, unless it is being done.
 */
export function inTurns(work) {
  let timer = 0;
  let isTurning = false;
  async function turn() {
    if (document.hidden || isTurning) return;
    isTurning = true;
    clearTimeout(timer);
    try {
      await work((ms) => { timer = setTimeout(turn, ms); });
    } finally {
      isTurning = false;
    }
  }
  document.addEventListener("visibilitychange", () => { if (!document.hidden) turn(); });
  return turn;
}
