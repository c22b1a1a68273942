import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { arch } from "node:process";
import { capabilitiesOfMask } from "./spec/capabilities.ts";
import type { HostFacts } from "./spec/spec.ts";

const oomScoreAdjLowest = -1000;

/** Reads what this host lets a container have. */
export async function readHostFacts(): Promise<HostFacts> {
  const [status, oomScoreAdj, apparmor] = await Promise.all([
    readFile("/proc/self/status", "utf8"),
    readFile("/proc/self/oom_score_adj", "utf8"),
    readFile("/sys/module/apparmor/parameters/enabled", "utf8").catch(() => "N"),
  ]);
  const mask = /^CapBnd:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? "0";
  const capabilities = capabilitiesOfMask(mask);
  return {
    capabilities,
    oomScoreAdjMin: capabilities.includes("CAP_SYS_RESOURCE") ? oomScoreAdjLowest : Number(oomScoreAdj),
    apparmor: apparmor.trim() === "Y",
    selinux: existsSync("/sys/fs/selinux/enforce"),
    architecture: arch,
  };
}
