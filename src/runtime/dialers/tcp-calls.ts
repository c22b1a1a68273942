/** The calls of a TCP client that never blocks. What a call that failed returns is the errno's name. */
export interface TcpCalls {
  socket(family: number): number | string;
  connect(fd: number, address: Buffer): "done" | string;
  /** The bytes taken. */
  send(fd: number, data: Buffer): number | string;
  /** The bytes read; 0 when the other side has closed. */
  receive(fd: number, into: Buffer): number | string;
  close(fd: number): void;
  epoll(): number;
  watch(epoll: number, fd: number, events: number): void;
  rewatch(epoll: number, fd: number, events: number): void;
  /** How many events there are now. */
  look(epoll: number, into: Buffer, countMax: number): number;
  /** On a thread of libuv's pool; calls back with how many events there are. */
  wait(epoll: number, into: Buffer, countMax: number, timeoutMs: number, done: (count: number) => void): void;
}

/** struct epoll_event, which is packed on this one architecture. */
export const epollEvent = process.arch === "x64" ? { bytes: 12, dataAt: 4 } : { bytes: 16, dataAt: 8 };

const sockStream = 1;
const nonBlocking = 0o4000;
const closeOnExec = 0o2000000;
const noSignal = 0x4000;
const epollAdd = 1;
const epollModify = 3;

let loading: Promise<TcpCalls | undefined> | undefined;

/** Undefined where koffi has no build. */
export function loadTcpCalls(): Promise<TcpCalls | undefined> {
  loading ??= import("koffi").then(
    (koffi) => bind(koffi.default),
    () => undefined,
  );
  return loading;
}

function bind(koffi: typeof import("koffi")["default"]): TcpCalls {
  const libc = koffi.load("libc.so.6");
  const names = new Map<number, string>();
  for (const [name, value] of Object.entries(koffi.os.errno)) names.set(value as number, name);
  // It has two names.
  names.set(koffi.os.errno.EAGAIN as number, "EAGAIN");
  const failure = () => names.get(koffi.errno()) ?? `errno ${koffi.errno()}`;

  const socket = libc.func("int socket(int, int, int)");
  const connect = libc.func("int connect(int, const uint8_t *, uint32_t)");
  const send = libc.func("int send(int, const uint8_t *, size_t, int)");
  const recv = libc.func("int recv(int, uint8_t *, size_t, int)");
  const close = libc.func("int close(int)");
  const epollCreate = libc.func("int epoll_create1(int)");
  const epollControl = libc.func("int epoll_ctl(int, int, int, uint8_t *)");
  const epollWait = libc.func("int epoll_wait(int, uint8_t *, int, int)");
  const event = Buffer.alloc(epollEvent.bytes);
  const control = (epoll: number, operation: number, fd: number, events: number) => {
    event.writeUInt32LE(events, 0);
    event.writeInt32LE(fd, epollEvent.dataAt);
    epollControl(epoll, operation, fd, event);
  };
  const orFailure = (result: number) => (result < 0 ? failure() : result);

  return {
    socket: (family) => orFailure(socket(family, sockStream | nonBlocking | closeOnExec, 0)),
    connect: (fd, address) => (connect(fd, address, address.length) === 0 ? "done" : failure()),
    send: (fd, data) => orFailure(send(fd, data, data.length, noSignal)),
    receive: (fd, into) => orFailure(recv(fd, into, into.length, 0)),
    close: (fd) => void close(fd),
    epoll: () => epollCreate(closeOnExec),
    watch: (epoll, fd, events) => control(epoll, epollAdd, fd, events),
    rewatch: (epoll, fd, events) => control(epoll, epollModify, fd, events),
    look: (epoll, into, countMax) => Math.max(epollWait(epoll, into, countMax, 0), 0),
    wait: (epoll, into, countMax, timeoutMs, done) => {
      epollWait.async(epoll, into, countMax, timeoutMs, (error: Error | null, count: number) =>
        done(error ? 0 : count),
      );
    },
  };
}
