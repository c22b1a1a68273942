import { getSystemErrorName } from "node:util";
import koffi from "koffi";

/**
 * The few system calls that unpacking needs and Node lacks. Paths are raw bytes.
 * Failures throw an Error with `code` (`EPERM`…), as `fs` does.
 */
export interface Libc {
  /** Makes the directory behind `fd` both root and working directory. Leaving is entering the old root's own fd. */
  enterRoot(fd: number): void;
  mknod(path: Buffer, mode: number, major: number, minor: number): void;
  /** On the link itself, where `path` is one. */
  lsetxattr(path: Buffer, name: string, value: Buffer): void;
  /** Writes the whole file system of `fd` to disk. */
  syncfs(fd: number): void;
}

export function loadLibc(): Libc {
  // A null name is the program itself, which has libc in it whatever its file is called here.
  const lib = koffi.load(null);
  const chroot = lib.func("int chroot(const char *path)");
  const fchdir = lib.func("int fchdir(int fd)");
  const mknod = lib.func("int mknod(const uint8_t *path, unsigned int mode, unsigned long device)");
  const lsetxattr = lib.func(
    "int lsetxattr(const uint8_t *path, const char *name, const uint8_t *value, size_t size, int flags)",
  );
  const syncfs = lib.func("int syncfs(int fd)");
  const check = (result: number, what: string) => {
    if (result >= 0) return;
    const code = getSystemErrorName(-koffi.errno());
    throw Object.assign(new Error(`${code}: ${what}`), { code });
  };
  return {
    enterRoot: (fd) => {
      check(fchdir(fd), "fchdir");
      check(chroot("."), "chroot");
    },
    mknod: (path, mode, major, minor) =>
      check(mknod(terminated(path), mode, deviceNumber(major, minor)), `mknod ${path}`),
    lsetxattr: (path, name, value) =>
      check(lsetxattr(terminated(path), name, value, value.length, 0), `lsetxattr ${name} ${path}`),
    syncfs: (fd) => check(syncfs(fd), "syncfs"),
  };
}

function terminated(path: Buffer): Buffer {
  if (path.includes(0)) throw new Error("a path holds a zero byte");
  return Buffer.concat([path, Buffer.alloc(1)]);
}

/** The layout of `dev_t` for the numbers that device nodes in images have (both below 256). */
function deviceNumber(major: number, minor: number): number {
  return major * 256 + minor;
}
