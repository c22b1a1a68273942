import assert from "node:assert/strict";
import { test } from "node:test";
import { isRecursivelyReadOnly } from "./recursive-read-only.ts";

const mount = (recursiveReadOnly: string | undefined, change: object = {}) =>
  ({ name: "v", mountPath: "/v", readOnly: true, recursiveReadOnly, ...change }) as never;

test("a mount is read-only with all below it where it must be, or where that is possible", () => {
  assert.equal(isRecursivelyReadOnly(mount(undefined), "can"), false);
  assert.equal(isRecursivelyReadOnly(mount("Disabled"), "can"), false);
  assert.equal(isRecursivelyReadOnly(mount("IfPossible"), "can"), true);
  assert.equal(isRecursivelyReadOnly(mount("IfPossible"), "cannot"), false);
  assert.equal(isRecursivelyReadOnly(mount("Enabled"), "can"), true);
});

test("what cannot be is told in upstream's words", () => {
  const told = (...of: Parameters<typeof isRecursivelyReadOnly>) => {
    try {
      return String(isRecursivelyReadOnly(...of));
    } catch (error) {
      return (error as Error).message;
    }
  };
  const start =
    'failed to resolve recursive read-only mode: volume "v" requested recursive read-only mode, but it is';
  assert.equal(told(mount("Enabled"), "cannot"), `${start} not supported by the runtime`);
  assert.equal(told(mount("Enabled", { readOnly: false }), "can"), `${start} not read-only`);
  assert.equal(
    told(mount("IfPossible", { mountPropagation: "HostToContainer" }), "can"),
    `${start} not compatible with propagation "HostToContainer"`,
  );
});
