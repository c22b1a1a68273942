import { RuntimeError, type SecurityContext } from "../../contract.ts";

/** By number, from 0. */
export const allCapabilities: readonly string[] = `
  CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
  NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN
  SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE
  MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE
`
  .trim()
  .split(/\s+/)
  .map((name) => `CAP_${name}`);

/** What a container gets unless it says otherwise: the set that containerd and Docker give. */
export const defaultCapabilities: readonly string[] = `
  CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL
  AUDIT_WRITE
`
  .trim()
  .split(/\s+/)
  .map((name) => `CAP_${name}`);

/** The set behind a hexadecimal mask of /proc/PID/status. */
export function capabilitiesOfMask(hex: string): string[] {
  const mask = BigInt(`0x${hex}`);
  return allCapabilities.filter((_, bit) => (mask >> BigInt(bit)) & 1n);
}

/**
 * The capabilities of a container, in the kernel's order. `ALL` and `privileged` mean all that this host has to give
 * (`available`); one asked for by name that it has not is refused.
 */
export function containerCapabilities(
  security: Pick<SecurityContext, "privileged" | "capabilities">,
  available: readonly string[],
): string[] {
  if (security.privileged) return [...available];
  const add = security.capabilities.add.map(canonical);
  const drop = security.capabilities.drop.map(canonical);
  const granted = new Set(defaultCapabilities.filter((name) => available.includes(name)));
  if (drop.includes("ALL")) granted.clear();
  if (add.includes("ALL")) for (const name of available) granted.add(name);
  // As containerd: with ALL on one side, the single names of the other side still count.
  for (const name of drop) granted.delete(name);
  for (const name of add) {
    if (name === "ALL") continue;
    if (!allCapabilities.includes(name)) {
      throw new RuntimeError("CreateContainerError", `unknown capability "${name}" to add`);
    }
    if (!available.includes(name)) {
      throw new RuntimeError("CreateContainerError", `capability "${name}" is not available on this host`);
    }
    granted.add(name);
  }
  return allCapabilities.filter((name) => granted.has(name));
}

function canonical(name: string): string {
  const upper = name.toUpperCase();
  return upper === "ALL" || upper.startsWith("CAP_") ? upper.replace(/^CAP_ALL$/, "ALL") : `CAP_${upper}`;
}
