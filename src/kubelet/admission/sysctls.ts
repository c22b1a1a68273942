import { type corev1, normalizedSysctl, sysctlNamespace } from "../../api/index.ts";
import type { Refusal } from "./admit.ts";

type Namespace = "ipc" | "net";

/**
 * Those that concern one pod alone: they have a value of its own in its namespaces, and no influence on its neighbours.
 * As `pkg/kubelet/sysctl/safe_sysctls.go`; every kernel that runs Peapod has them in namespaces.
 */
const safeSysctls = [
  "kernel.shm_rmid_forced",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.tcp_syncookies",
  "net.ipv4.ping_group_range",
  "net.ipv4.ip_unprivileged_port_start",
  "net.ipv4.ip_local_reserved_ports",
  "net.ipv4.tcp_keepalive_time",
  "net.ipv4.tcp_fin_timeout",
  "net.ipv4.tcp_keepalive_intvl",
  "net.ipv4.tcp_keepalive_probes",
  "net.ipv4.tcp_rmem",
  "net.ipv4.tcp_wmem",
];

const namespaceNames = { ipc: "IPC", net: "Net" } as const;
const patternShape = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*([a-z0-9][-_a-z0-9]*)?[a-z0-9*]$/;
const patternLengthMax = 253;

/** A name, or with `*` at its end what names begin with. */
interface Pattern {
  text: string;
  isPrefix: boolean;
  namespace: Namespace;
}

/** What is wrong with a pattern of `allowedUnsafeSysctls`; undefined when nothing is. */
export function sysctlPatternProblem(pattern: string): string | undefined {
  if (pattern.length > patternLengthMax || !patternShape.test(pattern))
    return `sysctl "${pattern}" must have at most ${patternLengthMax} characters and match regex ${patternShape.source}`;
  const { text, namespace } = parse(pattern);
  return namespace === undefined ? `the sysctls "${text}" are not known to be namespaced` : undefined;
}

function parse(pattern: string): Omit<Pattern, "namespace"> & { namespace: Namespace | undefined } {
  const whole = normalizedSysctl(pattern);
  const star = whole.indexOf("*");
  const text = star < 0 ? whole : whole.slice(0, star);
  // `kernel.shm*` and `kernel.msg*` are all of one namespace, and so is what begins with `net.`
  return { text, isPrefix: star >= 0, namespace: sysctlNamespace(text) };
}

/** Which sysctls pods may set on this node: the safe ones, and those that its administrator allows. */
export class SysctlAllowlist {
  readonly #patterns: readonly Pattern[];

  constructor(allowedUnsafe: readonly string[]) {
    this.#patterns = [...safeSysctls, ...allowedUnsafe].flatMap((pattern) => {
      const parsed = parse(pattern);
      return parsed.namespace === undefined ? [] : [{ ...parsed, namespace: parsed.namespace }];
    });
  }

  admit({ spec }: corev1.Pod): Refusal | undefined {
    for (const { name } of spec!.securityContext?.sysctls ?? []) {
      const why = this.#whyNot(normalizedSysctl(name), spec!);
      if (why) return { reason: "SysctlForbidden", message: `forbidden sysctl: ${why}` };
    }
    return undefined;
  }

  #whyNot(name: string, { hostNetwork, hostIPC }: corev1.PodSpec): string | undefined {
    const allowed = this.#patterns.find(({ text, isPrefix }) =>
      isPrefix ? name.startsWith(text) : name === text,
    );
    if (!allowed) return `"${name}" not allowlisted`;
    const isHosts = allowed.namespace === "ipc" ? hostIPC : hostNetwork;
    return isHosts
      ? `"${name}" not allowed with host ${namespaceNames[allowed.namespace]} enabled`
      : undefined;
  }
}
