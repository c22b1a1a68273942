/** How much is read of what a cgroup uses: each has what the one before has, and costs more. */
export type UsageDetail = "usage" | "pressure" | "all";

/** What the processes of a container or a pod use. */
export interface CgroupUsage {
  cpuUsageNs: number;
  memoryUsageBytes: number;
  /** Without what the kernel could take back at once. */
  memoryWorkingSetBytes: number;
  memoryRssBytes: number;
  pageFaults?: number;
  majorPageFaults?: number;
  swapUsageBytes?: number;
  processCount?: number;
  /** Where the kernel tells it: not on cgroup v1. */
  pressure?: CgroupPressure;
  detail?: CgroupDetail;
}

/** For how long processes had to wait for something. As the kernel's pressure stall information. */
export interface CgroupPressure {
  cpu?: Pressure;
  memory?: Pressure;
  io?: Pressure;
}

/** `some`: at least one of the processes waited; `full`: all of them did. */
export interface Pressure {
  some: Stalls;
  full: Stalls;
}

/** Parts of the last 10, 60 and 300 seconds, in percent, and the time since the beginning. */
export interface Stalls {
  avg10: number;
  avg60: number;
  avg300: number;
  totalUs: number;
}

/** What cAdvisor's metrics tell beside the usage. */
export interface CgroupDetail {
  cpuUserNs: number;
  cpuSystemNs: number;
  memoryCacheBytes: number;
  memoryMappedBytes: number;
  /** The most that was used. Absent on a kernel that does not count it. */
  memoryMaxBytes?: number;
  /** How often the limit was hit. */
  memoryLimitHits: number;
  oomKills: number;
  processes: number;
  threads: number;
  /** 0: no limit. */
  threadsMax: number;
  descriptors: number;
  sockets: number;
  /** Of the first process, soft. */
  openFilesMax?: number;
  io: readonly DeviceIo[];
}

/** What was read from and written to a block device. */
export interface DeviceIo {
  major: number;
  minor: number;
  readBytes: number;
  writeBytes: number;
  reads: number;
  writes: number;
}
