import assert from "node:assert/strict";
import { test } from "node:test";
import { AnswerReader } from "./plain-http.ts";

/** What a reader makes of pieces, after which the other side closes unless it has enough before. */
function read(...pieces: string[]) {
  const reader = new AnswerReader();
  for (const text of pieces) {
    const piece = Buffer.from(text);
    const end = reader.take(piece);
    // As a dialer's, which reads the next into it.
    piece.fill("#");
    if (end === "enough") break;
  }
  return reader.answer();
}

for (const [what, pieces, body] of [
  ["a length", ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "more"], "hello"],
  ["a length, in pieces", ["HTTP/1.1 200 OK\r\nContent-", "Length: 5\r\n\r", "\nhe", "llo"], "hello"],
  [
    "chunks",
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\n", "lo\r\n0\r\n\r\n"],
    "hello",
  ],
  ["the end of the connection", ["HTTP/1.0 200 OK\r\n\r\nhel", "lo"], "hello"],
  ["an interim answer before it", ["HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\nhello"], "hello"],
  ["no body", ["HTTP/1.1 204 No Content\r\n\r\n"], ""],
] as const) {
  test(`an answer whose body ends by ${what}`, () => {
    assert.equal(read(...pieces).body, body);
  });
}

test("of a long body only the beginning is read", () => {
  const reader = new AnswerReader();
  assert.equal(reader.take(Buffer.from(`HTTP/1.1 200 OK\r\n\r\n${"x".repeat(20_000)}`)), "enough");
  assert.equal(reader.answer().body.length, 10_240);
});

test("a redirect tells where to", () => {
  const { location, statusCode } = read(
    "HTTP/1.1 302 Found\r\nlocation: /there\r\ncontent-length: 0\r\n\r\n",
  );
  assert.deepEqual([statusCode, location], [302, "/there"]);
});

for (const [what, pieces, why] of [
  ["nothing", [], /^EOF$/],
  ["half a head", ["HTTP/1.1 200 OK\r\n"], /^unexpected EOF$/],
  ["half a body", ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"], /^unexpected EOF$/],
  ["half a chunk", ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe"], /^unexpected EOF$/],
  ["something else", ["SSH-2.0-OpenSSH\r\n\r\n"], /^malformed HTTP response "SSH-2\.0-OpenSSH"$/],
  ["endless headers", [`HTTP/1.1 200 OK\r\n${"x: y\r\n".repeat(5_000)}`], /headers are too long/],
] as const) {
  test(`an answer that is ${what} is none`, () => {
    assert.throws(() => read(...pieces), { message: why });
  });
}
