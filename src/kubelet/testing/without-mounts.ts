import type { Mounter } from "../volumes/mounter.ts";

/** Folders stand for mounts. */
export const withoutMounts: Mounter = {
  mountTmpfs: async () => {},
  bind: async () => {
    throw new Error("no mounts in this test");
  },
  mount: async () => {},
  mountDevice: async () => {
    throw new Error("no mounts in this test");
  },
  isMountPoint: async () => false,
  unmount: async () => {},
  mountsBelow: async () => [],
};
