import type { SeccompProfile } from "../../contract.ts";
import { allowedAlways, allowedByCapability } from "./seccomp-default.ts";

/** `linux.seccomp` of the OCI runtime specification. */
export interface OciSeccomp {
  defaultAction: string;
  defaultErrnoRet?: number;
  architectures?: string[];
  syscalls: OciSeccompRule[];
  [other: string]: unknown;
}

interface OciSeccompRule {
  names: string[];
  action: string;
  errnoRet?: number;
  args?: { index: number; value: number; valueTwo?: number; op: string }[];
}

const errnoPerm = 1;
const errnoNoSys = 38;
/** Every CLONE_NEW* flag: a container without CAP_SYS_ADMIN makes no namespaces. */
const cloneNamespaceFlags = 0x7e020000;
const addressFamilyVsock = 40;
/** The personalities that do not weaken the process: default, 32 bit, and asking for the current one. */
const personalities = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff];

const architectures: Record<string, string[]> = {
  x64: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
  arm64: ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
  s390x: ["SCMP_ARCH_S390X", "SCMP_ARCH_S390"],
};

/** The filter for a container; `undefined` where it runs unconfined. */
export function seccompFilter(
  profile: SeccompProfile | undefined,
  context: {
    privileged: boolean;
    capabilities: readonly string[];
    architecture: string;
    localhost?: OciSeccomp;
  },
): OciSeccomp | undefined {
  // As every runtime does: a privileged container is not confined.
  if (context.privileged) return undefined;
  switch (profile?.type ?? "RuntimeDefault") {
    case "Unconfined":
      return undefined;
    case "Localhost":
      return context.localhost;
    case "RuntimeDefault":
      return runtimeDefault(context.capabilities, context.architecture);
  }
}

function runtimeDefault(capabilities: readonly string[], architecture: string): OciSeccomp {
  const granted = capabilities.flatMap((capability) => allowedByCapability[capability] ?? []);
  const syscalls: OciSeccompRule[] = [
    { names: [...new Set([...allowedAlways, ...granted])], action: "SCMP_ACT_ALLOW" },
    {
      names: ["socket"],
      action: "SCMP_ACT_ALLOW",
      args: [{ index: 0, value: addressFamilyVsock, op: "SCMP_CMP_NE" }],
    },
    ...personalities.map((value) => ({
      names: ["personality"],
      action: "SCMP_ACT_ALLOW",
      args: [{ index: 0, value, op: "SCMP_CMP_EQ" }],
    })),
  ];
  if (!capabilities.includes("CAP_SYS_ADMIN")) {
    // On s390 the flags are the second argument.
    const index = architecture === "s390x" ? 1 : 0;
    syscalls.push(
      {
        names: ["clone"],
        action: "SCMP_ACT_ALLOW",
        args: [{ index, value: cloneNamespaceFlags, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }],
      },
      // A filter cannot look behind clone3's pointer; ENOSYS makes libc fall back to clone.
      { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: errnoNoSys },
    );
  }
  const known = architectures[architecture];
  return {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: errnoPerm,
    ...(known && { architectures: known }),
    syscalls,
  };
}
