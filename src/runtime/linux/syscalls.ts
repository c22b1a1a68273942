/**
 * The few Linux calls that Node does not offer, made in this process through koffi (0.3 µs a call) instead of by a
 * child (1.5 ms and more). Where koffi has no build, {@link loadSyscalls} gives `undefined` and children do the work.
 */
export interface Syscalls {
  mount(source: string, target: string, type: string | null, flags: number, data: string | null): void;
  /** As {@link mount} on a thread of its own, where it waits for the disk or for other mounts. */
  mountAsync(...given: Parameters<Syscalls["mount"]>): Promise<void>;
  umount(target: string, flags: number): void;
  /** As {@link umount} on a thread of its own: freeing a large cache takes long. `false` when it failed. */
  umountAsync(target: string, flags: number): Promise<boolean>;
  /**
   * Mounts what is at `source` (a directory or a file) on `target`, with its owners mapped as the user namespace behind
   * `userNamespaceFd` maps them: what is 0 on the disk is that namespace's root.
   */
  mountMapped(source: string, target: string, userNamespaceFd: number): void;
  unshare(flags: number): void;
  setns(fd: number, flags: number): void;
  setHostname(name: string): void;
  socket(domain: number, type: number, protocol: number): number;
  connect(fd: number, address: Buffer): void;
  bind(fd: number, address: Buffer): void;
  listen(fd: number, backlog: number): void;
  /** The bytes taken, made on a thread of its own: rtnetlink works inside `send` and may wait for a lock. */
  sendAsync(fd: number, data: Buffer): Promise<number>;
  /** The bytes read, or 0 when nothing is there. */
  receive(fd: number, into: Buffer): number;
  /** How much a pipe holds; more than the host lets anyone have is not an error, and changes nothing. */
  setPipeSize(fd: number, bytes: number): void;
  /**
   * Waits on a thread of its own for one connection to a listening unix socket and the descriptor that is passed over
   * it. -1: none came within `timeoutMs`.
   */
  receiveFdAsync(listeningFd: number, timeoutMs: number): Promise<number>;
  socketPair(domain: number, type: number): [number, number];
  dup2(from: number, to: number): void;
  setNonBlocking(fd: number): void;
  makeFifo(path: string, mode: number): void;
  setWindowSize(fd: number, size: { columns: number; rows: number }): void;
  interfaceIndex(name: string): number;
}

export const MountFlag = {
  readOnly: 1,
  noSuid: 2,
  noDev: 4,
  noExec: 8,
  remount: 32,
  bind: 4096,
  recursive: 16384,
  private: 1 << 18,
  detach: 2,
} as const;

export const NamespaceFlag = {
  uts: 0x04000000,
  ipc: 0x08000000,
  net: 0x40000000,
} as const;

/** A call that the kernel refused: `code` is the errno's name. */
export class SyscallError extends Error {
  override name = "SyscallError";
  readonly code: string;
  readonly call: string;
  constructor(call: string, code: string, detail: string) {
    super(`${call}${detail ? ` ${detail}` : ""}: ${code}`);
    this.call = call;
    this.code = code;
  }
}

let loading: Promise<Syscalls | undefined> | undefined;

/** `koffi` is loaded only when asked for, and once, so that a machine without a build of it still runs. */
export function loadSyscalls(): Promise<Syscalls | undefined> {
  loading ??= import("koffi").then(
    (koffi) => bind(koffi.default),
    () => undefined,
  );
  return loading;
}

type Koffi = typeof import("koffi")["default"];

/** `TIOCSWINSZ`, the same on every architecture Debian builds Node for but mips and powerpc. */
const setWindowSizeRequest = 0x5414;
const pollIn = 1;
const fcntlGetFlags = 3;
const fcntlSetFlags = 4;
const fcntlSetPipeSize = 1031;
const nonBlocking = 0o4000;
/** sizeof(struct msghdr) and one control message with one int, on 64-bit Linux. */
const controlBytes = 24;
const solSocket = 1;
const scmRights = 1;
/** MSG_CMSG_CLOEXEC */
const closeOnExec = 0x40000000;

/** Of 64-bit Linux, on every architecture. */
const callNumbers = { openTree: 428, moveMount: 429, mountSetattr: 442 } as const;
const atWorkingDirectory = -100;
const atEmptyPath = 0x1000;
const atRecursive = 0x8000;
const openTreeClone = 1;
const openTreeCloseOnExec = 0o2000000;
const moveMountEmptyPath = 4;
const mountAttrIdmap = 0x0010_0000n;

/** struct mount_attr */
function idmapAttributes(userNamespaceFd: number): Buffer {
  const attributes = Buffer.alloc(32);
  attributes.writeBigUInt64LE(mountAttrIdmap, 0);
  attributes.writeBigUInt64LE(BigInt(userNamespaceFd), 24);
  return attributes;
}

function bind(koffi: Koffi): Syscalls {
  const libc = koffi.load("libc.so.6");
  const names = new Map<number, string>();
  for (const [name, value] of Object.entries(koffi.os.errno)) names.set(value as number, name);

  const fail = (call: string, detail = ""): never => {
    const errno = koffi.errno();
    throw new SyscallError(call, names.get(errno) ?? `errno ${errno}`, detail);
  };
  koffi.struct("peapod_iovec", { base: "void *", len: "size_t" });
  koffi.struct("peapod_msghdr", {
    name: "void *",
    namelen: "uint32_t",
    iov: "peapod_iovec *",
    iovlen: "size_t",
    control: "void *",
    controllen: "size_t",
    flags: "int",
  });

  const mount = libc.func("int mount(const char *, const char *, const char *, unsigned long, const char *)");
  const umount2 = libc.func("int umount2(const char *, int)");
  const unshare = libc.func("int unshare(int)");
  const setns = libc.func("int setns(int, int)");
  const sethostname = libc.func("int sethostname(const char *, size_t)");
  const socket = libc.func("int socket(int, int, int)");
  const connect = libc.func("int connect(int, const uint8_t *, uint32_t)");
  const bindTo = libc.func("int bind(int, const uint8_t *, uint32_t)");
  const listen = libc.func("int listen(int, int)");
  const accept = libc.func("int accept(int, void *, void *)");
  const send = libc.func("long send(int, const uint8_t *, size_t, int)");
  const recv = libc.func("long recv(int, uint8_t *, size_t, int)");
  const recvmsg = libc.func("long recvmsg(int, peapod_msghdr *, int)");
  const poll = libc.func("int poll(uint8_t *, unsigned long, int)");
  const socketpair = libc.func("int socketpair(int, int, int, _Out_ int *)");
  const dup2 = libc.func("int dup2(int, int)");
  const close = libc.func("int close(int)");
  const mkfifo = libc.func("int mkfifo(const char *, uint32_t)");
  const fcntl = libc.func("int fcntl(int, int, ...)");
  const ioctl = libc.func("int ioctl(int, unsigned long, ...)");
  const openTree = libc.func("syscall", "long", ["long", "int", "str", "uint"]);
  const moveMount = libc.func("syscall", "long", ["long", "int", "str", "int", "str", "uint"]);
  const mountSetattr = libc.func("syscall", "long", ["long", "int", "str", "uint", "uint8_t *", "size_t"]);
  const ifNameToIndex = libc.func("unsigned int if_nametoindex(const char *)");

  const background = <T>(fn: { async: (...args: any[]) => void }, ...args: unknown[]) =>
    new Promise<T>((resolve, reject) => {
      fn.async(...args, (error: Error | null, result: T) => (error ? reject(error) : resolve(result)));
    });

  const readable = async (fd: number, timeoutMs: number): Promise<boolean> => {
    const waits = Buffer.alloc(8);
    waits.writeInt32LE(fd, 0);
    waits.writeInt16LE(pollIn, 4);
    return (await background<number>(poll, waits, 1, timeoutMs)) > 0;
  };
  const receiveFd = (connection: number): number => {
    const control = Buffer.alloc(controlBytes);
    const message = {
      name: null,
      namelen: 0,
      iov: [{ base: Buffer.alloc(1024), len: 1024 }],
      iovlen: 1,
      control,
      controllen: controlBytes,
      flags: 0,
    };
    if (Number(recvmsg(connection, message, closeOnExec)) <= 0) return -1;
    // cmsghdr: length (8), level (4), type (4), then the descriptor.
    const carriesFd = control.readUInt32LE(8) === solSocket && control.readUInt32LE(12) === scmRights;
    return carriesFd ? control.readInt32LE(16) : -1;
  };

  return {
    mount(source, target, type, flags, data) {
      if (mount(source, target, type, flags, data) !== 0) fail("mount", `${source} on ${target}`);
    },
    async mountAsync(...given) {
      if ((await background<number>(mount, ...given)) === 0) return;
      // Only a call of this thread tells why.
      this.mount(...given);
    },
    umount(target, flags) {
      if (umount2(target, flags) !== 0) fail("umount", target);
    },
    async umountAsync(target, flags) {
      return (await background<number>(umount2, target, flags)) === 0;
    },
    mountMapped(source, target, userNamespaceFd) {
      const { openTree: open, moveMount: move, mountSetattr: set } = callNumbers;
      const flags = openTreeClone | openTreeCloseOnExec | atRecursive;
      const tree = Number(openTree(open, atWorkingDirectory, source, flags));
      if (tree < 0) fail("open_tree", source);
      try {
        const attributes = idmapAttributes(userNamespaceFd);
        if (Number(mountSetattr(set, tree, "", atEmptyPath, attributes, attributes.length)) !== 0)
          fail("mount_setattr", source);
        if (Number(moveMount(move, tree, "", atWorkingDirectory, target, moveMountEmptyPath)) !== 0)
          fail("move_mount", `${source} on ${target}`);
      } finally {
        close(tree);
      }
    },
    unshare(flags) {
      if (unshare(flags) !== 0) fail("unshare");
    },
    setns(fd, flags) {
      if (setns(fd, flags) !== 0) fail("setns");
    },
    setHostname(name) {
      if (sethostname(name, Buffer.byteLength(name)) !== 0) fail("sethostname", name);
    },
    socket(domain, type, protocol) {
      const fd = socket(domain, type, protocol);
      return fd < 0 ? fail("socket") : fd;
    },
    connect(fd, address) {
      if (connect(fd, address, address.length) !== 0) fail("connect");
    },
    async sendAsync(fd, data) {
      return Number(await background<number>(send, fd, data, data.length, 0));
    },
    receive(fd, into) {
      const read = Number(recv(fd, into, into.length, 0));
      if (read >= 0) return read;
      if (koffi.errno() === koffi.os.errno.EAGAIN) return 0;
      return fail("recv");
    },
    bind(fd, address) {
      if (bindTo(fd, address, address.length) !== 0) fail("bind");
    },
    listen(fd, backlog) {
      if (listen(fd, backlog) !== 0) fail("listen");
    },
    async receiveFdAsync(listeningFd, timeoutMs) {
      if (!(await readable(listeningFd, timeoutMs))) return -1;
      const connection = accept(listeningFd, null, null);
      if (connection < 0) return -1;
      try {
        return (await readable(connection, timeoutMs)) ? receiveFd(connection) : -1;
      } finally {
        close(connection);
      }
    },
    socketPair(domain, type) {
      const pair = [0, 0];
      if (socketpair(domain, type, 0, pair) !== 0) fail("socketpair");
      return [pair[0]!, pair[1]!];
    },
    dup2(from, to) {
      if (dup2(from, to) < 0) fail("dup2");
    },
    makeFifo(path, mode) {
      if (mkfifo(path, mode) !== 0) fail("mkfifo", path);
    },
    setNonBlocking(fd) {
      const flags = fcntl(fd, fcntlGetFlags, "int", 0);
      if (flags < 0 || fcntl(fd, fcntlSetFlags, "int", flags | nonBlocking) < 0) fail("fcntl");
    },
    setPipeSize(fd, bytes) {
      fcntl(fd, fcntlSetPipeSize, "int", bytes);
    },
    setWindowSize(fd, { columns, rows }) {
      const size = Buffer.alloc(8);
      size.writeUInt16LE(clampSize(rows), 0);
      size.writeUInt16LE(clampSize(columns), 2);
      if (ioctl(fd, setWindowSizeRequest, "uint8_t *", size) !== 0) fail("ioctl TIOCSWINSZ");
    },
    interfaceIndex(name) {
      const index = ifNameToIndex(name);
      return index === 0 ? fail("if_nametoindex", name) : index;
    },
  };
}

function clampSize(cells: number): number {
  return Math.min(Math.max(Math.trunc(cells), 0), 0xffff);
}
