export { KeptLists } from "./kept-lists.ts";
export { DirectoryLockedError } from "./lmdb/directory-lock.ts";
export { type LmdbOptions, openLmdbStore } from "./lmdb/lmdb-store.ts";
export { createMemoryStore } from "./memory/memory-store.ts";
export type { HistoryLimits } from "./mvcc/history.ts";
export * from "./store.ts";
