import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../../api/index.ts";
import { withMessagesCut } from "./message-limits.ts";

const ended = (name: string, message: string): corev1.ContainerStatus => ({
  ...{ name, image: "i", imageID: "", restartCount: 1, ready: false },
  state: { terminated: { exitCode: 1, message } },
  lastState: { terminated: { exitCode: 1, message } },
});
const lengths = (statuses: readonly corev1.ContainerStatus[]) =>
  statuses.map(({ state, lastState }) => [
    Buffer.byteLength(state!.terminated!.message!),
    Buffer.byteLength(lastState!.terminated!.message!),
  ]);

for (const [containers, bytes, expected] of [
  [1, 4_096, 4_096],
  [3, 4_096, 4_096],
  [4, 4_096, 3_072],
  [12, 4_096, 1_024],
] as const) {
  test(`of ${bytes} bytes that each of ${containers} containers says, ${expected} are kept`, () => {
    const statuses = Array.from({ length: containers }, (_, i) => ended(`c${i}`, "x".repeat(bytes)));
    const [inits, mains] = withMessagesCut([statuses.slice(0, 1), statuses.slice(1)]);
    for (const pair of lengths([...inits!, ...mains!])) assert.deepEqual(pair, [expected, expected]);
  });
}

test("no character is cut in two", () => {
  const [statuses] = withMessagesCut([
    Array.from({ length: 5 }, (_, i) => ended(`c${i}`, "é".repeat(2_000))),
  ]);
  const { message } = statuses![0]!.state!.terminated!;
  assert.equal(message, "é".repeat(1_228));
});
