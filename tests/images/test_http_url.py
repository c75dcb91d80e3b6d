from __future__ import annotations

from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_permitocr.images.http_url import read_host, read_url


@pytest.mark.parametrize(
    ("text", "whole", "host"),
    [
        ("HTTP://Images.Example.COM", "http://images.example.com/", "images.example.com"),
        ("https://images.example.com.:443/a?b#c", "https://images.example.com/a?b", "images.example.com"),
        ("http://[::FFFF:7f00:1]:8080/", "http://[::ffff:7f00:1]:8080/", "::ffff:7f00:1"),
        ("http://0x7f.1:80/a b", "http://127.0.0.1/a%20b", "127.0.0.1"),
        ("http://bücher.example/ü", "http://xn--bcher-kva.example/%C3%BC", "xn--bcher-kva.example"),
        ("http://good.example\\@evil.example/", "http://good.example/%5C@evil.example/", "good.example"),
        ("http://host?a=b", "http://host/?a=b", "host"),
        ("http://host/a\r\nX: y", "http://host/a%0D%0AX:%20y", "host"),
    ],
)
def test_url_is_brought_into_one_form(text: str, whole: str, host: str) -> None:
    url = read_url(text)
    assert url.whole.lower() == whole.lower()
    assert url.host == host


@pytest.mark.parametrize(
    ("target", "encoded"),
    [
        ("/通行证/正面 1.jpg", "/%E9%80%9A%E8%A1%8C%E8%AF%81/%E6%AD%A3%E9%9D%A2%201.jpg"),
        ("/a%20b/%e9%80%9a.jpg?x=%2f+%2B", "/a%20b/%e9%80%9a.jpg?x=%2f+%2B"),
        ("/100%.jpg?a=%zz", "/100%25.jpg?a=%25zz"),
        ("/%e9%80%9a 行.jpg", "/%e9%80%9a%20%E8%A1%8C.jpg"),
        ("/a/../b//c/./d", "/a/../b//c/./d"),
        ("/a+b.jpg?q-sign-time=1;2&q-key=A/b+c==&x=a|b", "/a+b.jpg?q-sign-time=1;2&q-key=A/b+c==&x=a%7Cb"),
        ("/a[1].jpg?b[]={}", "/a%5B1%5D.jpg?b%5B%5D=%7B%7D"),
        ("/a?b?c=d/e", "/a?b?c=d/e"),
        ("/😀.jpg", "/%F0%9F%98%80.jpg"),
        ("/a?", "/a?"),
        ("/a#b", "/a"),
    ],
)
def test_only_what_is_not_yet_encoded_is_and_the_rest_stays_as_it_was_signed(
    target: str, encoded: str
) -> None:
    url = read_url(f"https://host{target}")
    assert url.target == encoded
    assert read_url(url.whole) == url


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("http://me@host/", "user name"),
        ("http://me:secret@host/", "user name"),
        ("http://good.example:80@evil.example/", "user name"),
        ("ftp://host/", "neither http nor https"),
        ("//host/", "neither http nor https"),
        ("http:///path", "no valid host"),
        ("http://host:99999/", "not well-formed"),
        ("http://host:port/", "not well-formed"),
        ("http://[::1/", "not well-formed"),
        ("http://a..b/", "no valid host"),
        ("http://127.0.0.08/", "no valid host"),
        ("http://1.2.3.4.5/", "no valid host"),
        ("http://127.0.0.1%2f.example.com/", "host"),
        ("http://" + "a" * 64 + ".example.com/", "well-formed|no valid host"),
        ("http://①.example/", "well-formed|no valid host"),
        ("http://host/\ud800", "not well-formed"),
    ],
)
def test_what_could_be_no_plain_url_is_refused_without_quoting_it(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        read_url(text)
    assert not [part for part in ("secret", "host/", "example", "evil") if part in str(caught.value)]


@given(st.text(), st.sampled_from(["", "http://", "https://", "http://[", "http://a:", "http://a/"]))
def test_any_text_is_a_url_or_refused(text: str, start: str) -> None:
    with suppress(ValueError):
        url = read_url(start + text)
        assert urlsplit(url.whole).hostname == url.host
        assert url.whole.isascii()
        assert url.whole.isprintable()
        assert " " not in url.whole
        assert read_host(url.host) == url.host
        assert read_url(url.whole) == url
