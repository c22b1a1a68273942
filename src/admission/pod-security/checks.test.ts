import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../../api/index.ts";
import { explain, violationsOf } from "./evaluate.ts";
import type { Level } from "./policy.ts";

/*
 * One table: what a pod says, and what each level makes of it, in upstream's words. A pod that is fine but for what is
 * given is hardened, so that only the rule at hand speaks.
 */

const hardened = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ["ALL"] },
  runAsNonRoot: true,
  seccompProfile: { type: "RuntimeDefault" },
};

type Container = Partial<corev1.Container> & { name: string };

function told(
  level: Level,
  given: { spec?: object; containers?: Container[]; annotations?: Record<string, string> },
  version = Number.POSITIVE_INFINITY,
): string {
  const containers = (given.containers ?? [{ name: "a" }]).map((container) => ({
    image: "i",
    ...container,
    securityContext: { ...hardened, ...container.securityContext },
  }));
  const spec = { containers, ...given.spec } as corev1.PodSpec;
  return explain(violationsOf({ level, version }, { annotations: given.annotations ?? {}, spec }));
}

const context = (name: string, securityContext: object): Container => ({ name, securityContext });

test("a hardened pod is let in everywhere, and a privileged namespace lets in everything", () => {
  assert.equal(told("restricted", {}), "");
  const wild = { spec: { hostNetwork: true, volumes: [{ name: "v", hostPath: { path: "/" } }] } };
  assert.equal(told("privileged", wild), "");
});

test("what the baseline refuses, both levels do", () => {
  const table: [Parameters<typeof told>[1], string][] = [
    [
      { spec: { hostNetwork: true, hostPID: true, hostIPC: true } },
      "host namespaces (hostNetwork=true, hostPID=true, hostIPC=true)",
    ],
    [
      { containers: [context("a", { privileged: true, allowPrivilegeEscalation: true }), context("b", {})] },
      'privileged (container "a" must not set securityContext.privileged=true)',
    ],
    [
      {
        containers: [
          { name: "a", ports: [{ containerPort: 1, hostPort: 80 }] },
          { name: "b", ports: [{ containerPort: 2, hostPort: 8080 }] },
        ],
      },
      'hostPort (containers "a", "b" use hostPorts 80, 8080)',
    ],
    [
      { containers: [{ name: "a", ports: [{ containerPort: 1, hostPort: 80 }] }] },
      'hostPort (container "a" uses hostPort 80)',
    ],
    [
      { spec: { securityContext: { appArmorProfile: { type: "Unconfined" } } } },
      'forbidden AppArmor profile (pod must not set AppArmor profile type to "Unconfined")',
    ],
    [
      {
        containers: [context("a", { appArmorProfile: { type: "Unconfined" } })],
        annotations: { "container.apparmor.security.beta.kubernetes.io/a": "unconfined" },
      },
      'forbidden AppArmor profiles (container "a" and annotation must not set AppArmor profile type to "Unconfined", "container.apparmor.security.beta.kubernetes.io/a="unconfined"")',
    ],
    [
      { containers: [context("a", { seLinuxOptions: { type: "spc_t", user: "u", role: "r" } })] },
      'seLinuxOptions (container "a" set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set; role may not be set)',
    ],
    [{ spec: { securityContext: { seLinuxOptions: { level: "s0:c1", type: "container_t" } } } }, ""],
    [
      {
        spec: {
          securityContext: {
            sysctls: [
              { name: "kernel.msgmax", value: "1" },
              { name: "net.ipv4.tcp_rmem", value: "1" },
            ],
          },
        },
      },
      "forbidden sysctls (kernel.msgmax)",
    ],
    [
      {
        spec: { securityContext: { windowsOptions: { hostProcess: true } } },
        containers: [context("a", { windowsOptions: { hostProcess: true } })],
      },
      'hostProcess (pod and container "a" must not set securityContext.windowsOptions.hostProcess=true)',
    ],
    [
      {
        containers: [
          {
            name: "a",
            livenessProbe: { httpGet: { host: "h", port: 1 } },
            lifecycle: { preStop: { httpGet: { host: "g", port: 1 } } },
          },
        ],
      },
      'probe or lifecycle host (container "a" uses probe or lifecycle hosts "g", "h")',
    ],
    [
      { containers: [{ name: "a", readinessProbe: { tcpSocket: { host: "h", port: 1 } } }] },
      'probe or lifecycle host (container "a" uses probe or lifecycle host "h")',
    ],
  ];
  for (const [given, expected] of table) {
    assert.equal(told("baseline", given), expected);
    const restricted = told("restricted", given);
    // A privileged container is an escalation too.
    if (expected.startsWith("privileged")) assert.ok(restricted.startsWith(expected), restricted);
    else assert.equal(restricted, expected);
  }
});

test("where both levels have a rule, the stricter one speaks", () => {
  const table: [Parameters<typeof told>[1], string, string][] = [
    [
      {
        containers: [
          context("a", { capabilities: { drop: ["ALL"], add: ["NET_ADMIN", "CHOWN", "NET_BIND_SERVICE"] } }),
        ],
      },
      'non-default capabilities (container "a" must not include "NET_ADMIN" in securityContext.capabilities.add)',
      'unrestricted capabilities (container "a" must not include "CHOWN", "NET_ADMIN" in securityContext.capabilities.add)',
    ],
    [
      {
        containers: [
          context("a", { capabilities: { add: ["SYS_TIME"] } }),
          context("b", { capabilities: {} }),
        ],
      },
      'non-default capabilities (container "a" must not include "SYS_TIME" in securityContext.capabilities.add)',
      'unrestricted capabilities (containers "a", "b" must set securityContext.capabilities.drop=["ALL"]; container "a" must not include "SYS_TIME" in securityContext.capabilities.add)',
    ],
    [
      {
        spec: {
          volumes: [
            { name: "h", hostPath: { path: "/" } },
            { name: "n", nfs: { server: "s", path: "/" } },
            { name: "e", emptyDir: {} },
          ],
        },
      },
      'hostPath volumes (volume "h")',
      'restricted volume types (volumes "h", "n" use restricted volume types "hostPath", "nfs")',
    ],
    [
      { spec: { volumes: [{ name: "h", hostPath: { path: "/" } }] } },
      'hostPath volumes (volume "h")',
      'restricted volume types (volume "h" uses restricted volume type "hostPath")',
    ],
    [
      { spec: { securityContext: { seccompProfile: { type: "Unconfined" } } } },
      'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
      'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
    ],
    [
      { containers: [context("a", { seccompProfile: undefined })] },
      "",
      'seccompProfile (pod or container "a" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
    ],
    [
      { spec: { hostUsers: false }, containers: [context("a", { procMount: "Unmasked" })] },
      "",
      'procMount (container "a" must not set securityContext.procMount to "Unmasked")',
    ],
    [
      { containers: [context("a", { procMount: "Unmasked" })] },
      'procMount (container "a" must not set securityContext.procMount to "Unmasked")',
      'procMount (container "a" must not set securityContext.procMount to "Unmasked")',
    ],
    [
      { containers: [context("a", { allowPrivilegeEscalation: undefined })] },
      "",
      'allowPrivilegeEscalation != false (container "a" must set securityContext.allowPrivilegeEscalation=false)',
    ],
    [
      {
        spec: { securityContext: { runAsNonRoot: false } },
        containers: [context("a", { runAsNonRoot: false })],
      },
      "",
      'runAsNonRoot != true (pod and container "a" must not set securityContext.runAsNonRoot=false)',
    ],
    [
      { containers: [context("a", { runAsNonRoot: undefined }), context("b", {})] },
      "",
      'runAsNonRoot != true (pod or container "a" must set securityContext.runAsNonRoot=true)',
    ],
    [
      {
        spec: { securityContext: { runAsNonRoot: true } },
        containers: [context("a", { runAsNonRoot: undefined })],
      },
      "",
      "",
    ],
    [
      {
        spec: { securityContext: { runAsUser: 0 } },
        containers: [context("a", { runAsUser: 0 }), context("b", { runAsUser: 1 })],
      },
      "",
      'runAsUser=0 (pod and container "a" must not set runAsUser=0)',
    ],
    [
      {
        spec: { hostUsers: false, securityContext: { runAsUser: 0 } },
        containers: [context("a", { runAsNonRoot: false })],
      },
      "",
      "",
    ],
  ];
  for (const [given, baseline, restricted] of table) {
    assert.equal(told("baseline", given), baseline);
    assert.equal(told("restricted", given), restricted);
  }
});

test("init and ephemeral containers are held to the same, and several violations are told in upstream's order", () => {
  const spec = {
    initContainers: [{ name: "init", image: "i", securityContext: { privileged: true } }],
    ephemeralContainers: [{ name: "debug", image: "i", securityContext: { privileged: true } }],
  };
  assert.equal(
    told("baseline", { spec }),
    'privileged (containers "init", "debug" must not set securityContext.privileged=true)',
  );
  assert.equal(
    told("restricted", { spec: { containers: [{ name: "a", image: "i" }] } }),
    'allowPrivilegeEscalation != false (container "a" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "a" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "a" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "a" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
  );
});

test("a version before a rule, or before its change, does not know it", () => {
  const table: [Level, number, Parameters<typeof told>[1], RegExp][] = [
    [
      "baseline",
      33,
      { containers: [{ name: "a", livenessProbe: { httpGet: { host: "h", port: 1 } } }] },
      /^$/,
    ],
    [
      "baseline",
      34,
      { containers: [{ name: "a", livenessProbe: { httpGet: { host: "h", port: 1 } } }] },
      /^probe/,
    ],
    [
      "baseline",
      34,
      { spec: { hostUsers: false }, containers: [context("a", { procMount: "Unmasked" })] },
      /^procMount/,
    ],
    [
      "baseline",
      35,
      { spec: { hostUsers: false }, containers: [context("a", { procMount: "Unmasked" })] },
      /^$/,
    ],
    [
      "baseline",
      30,
      { containers: [context("a", { seLinuxOptions: { type: "container_engine_t" } })] },
      /^seLinux/,
    ],
    [
      "baseline",
      31,
      { containers: [context("a", { seLinuxOptions: { type: "container_engine_t" } })] },
      /^$/,
    ],
    ["baseline", 18, { containers: [context("a", { seccompProfile: { type: "Unconfined" } })] }, /^$/],
    ["baseline", 19, { containers: [context("a", { seccompProfile: { type: "Unconfined" } })] }, /^seccomp/],
    [
      "baseline",
      18,
      { annotations: { "seccomp.security.alpha.kubernetes.io/pod": "unconfined" } },
      /^seccompProfile \(forbidden annotation seccomp\.security\.alpha\.kubernetes\.io\/pod="unconfined"\)$/,
    ],
    [
      "baseline",
      26,
      { spec: { securityContext: { sysctls: [{ name: "net.ipv4.ip_local_reserved_ports" }] } } },
      /^forbidden/,
    ],
    [
      "baseline",
      27,
      { spec: { securityContext: { sysctls: [{ name: "net.ipv4.ip_local_reserved_ports" }] } } },
      /^$/,
    ],
    [
      "baseline",
      28,
      { spec: { securityContext: { sysctls: [{ name: "net.ipv4.tcp_fin_timeout" }] } } },
      /^forbidden/,
    ],
    [
      "baseline",
      29,
      { spec: { securityContext: { sysctls: [{ name: "net.ipv4.tcp_fin_timeout" }] } } },
      /^$/,
    ],
    [
      "baseline",
      31,
      { spec: { securityContext: { sysctls: [{ name: "net.ipv4.tcp_wmem" }] } } },
      /^forbidden/,
    ],
    ["restricted", 7, { containers: [context("a", { allowPrivilegeEscalation: true })] }, /^$/],
    ["restricted", 8, { containers: [context("a", { allowPrivilegeEscalation: true })] }, /^allow/],
    ["restricted", 21, { containers: [context("a", { capabilities: {} })] }, /^$/],
    ["restricted", 22, { containers: [context("a", { capabilities: {} })] }, /^unrestricted/],
    ["restricted", 22, { containers: [context("a", { runAsUser: 0 })] }, /^$/],
    ["restricted", 23, { containers: [context("a", { runAsUser: 0 })] }, /^runAsUser/],
    [
      "restricted",
      34,
      { spec: { hostUsers: false }, containers: [context("a", { runAsUser: 0 })] },
      /^runAsUser/,
    ],
    [
      "restricted",
      24,
      {
        spec: { os: { name: "windows" } },
        containers: [context("a", { allowPrivilegeEscalation: undefined })],
      },
      /^allow/,
    ],
    [
      "restricted",
      25,
      {
        spec: { os: { name: "windows" } },
        containers: [
          context("a", {
            allowPrivilegeEscalation: undefined,
            capabilities: undefined,
            seccompProfile: undefined,
          }),
        ],
      },
      /^$/,
    ],
  ];
  for (const [level, version, given, expected] of table)
    assert.match(told(level, given, version), expected, `${level} v1.${version}`);
});
