import assert from "node:assert/strict";
import { test } from "node:test";
import { rewriteHtml, rewriteUrl } from "./rewrite.ts";

const rewriting = { prefix: "/api/v1/namespaces/n/pods/p/proxy", host: "127.0.0.1:6443" };
const below = (path: string) => `${rewriting.prefix}${path}`;

const urls: [what: string, url: string, becomes: string][] = [
  ["a path of the server's root", "/a/b?x=1#y", below("/a/b?x=1#y")],
  ["a folder", "/a/", below("/a/")],
  ["a relative path", "a/b", "a/b"],
  ["a fragment", "#top", "#top"],
  ["another host", "http://example.com/a", "http://example.com/a"],
  ["the client's own host", "https://127.0.0.1:6443/a", `https://127.0.0.1:6443${below("/a")}`],
  ["another host without a scheme", "//example.com/a", "//example.com/a"],
  ["what is below the proxy already", below("/a"), below("/a")],
  ["a mail address", "mailto:a@example.com", "mailto:a@example.com"],
  ["a way up", "/a/../b", below("/b")],
];

for (const [what, url, becomes] of urls) {
  test(`a link to ${what} is followed below the proxy's path where it has to be`, () =>
    assert.equal(rewriteUrl(url, rewriting), becomes));
}

const pages: [what: string, html: string, becomes: string][] = [
  [
    "links of several elements",
    `<a class=x href="/a">a</a><img src='/i.png'><script src=/s.js></script><FORM Action="/f">`,
    `<a class=x href="${below("/a")}">a</a><img src='${below("/i.png")}'><script src=${below("/s.js")}></script><FORM Action="${below("/f")}">`,
  ],
  ["other attributes", `<p data-x="/a" title="/b">/c</p>`, `<p data-x="/a" title="/b">/c</p>`],
  [
    "scripts and comments",
    `<script>x = '<a href="/a">'</script><!-- <a href="/b"> --><a href="/c">`,
    `<script>x = '<a href="/a">'</script><!-- <a href="/b"> --><a href="${below("/c")}">`,
  ],
  ["escaped ampersands", `<a href="/a?b=1&amp;c=2">`, `<a href="${below("/a?b=1&amp;c=2")}">`],
  ["a tag that never ends", `<a href="/a`, `<a href="/a`],
];

for (const [what, html, becomes] of pages) {
  test(`in a page, ${what}`, () => assert.equal(rewriteHtml(html, rewriting), becomes));
}
