import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../../api/index.ts";
import { admitAppArmor } from "./security-modules.ts";
import { SysctlAllowlist, sysctlPatternProblem } from "./sysctls.ts";

const podOf = (spec: object, annotations: Record<string, string> = {}): corev1.Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p", annotations },
  spec: { containers: [{ name: "c", image: "i" }], ...spec },
});
const withSysctl = (name: string, spec: object = {}) =>
  podOf({ securityContext: { sysctls: [{ name, value: "1" }] }, ...spec });

test("safe sysctls are allowed, others where the node's administrator says so", () => {
  const plain = new SysctlAllowlist([]);
  const wide = new SysctlAllowlist(["kernel.msg*", "net.ipv4.route.min_pmtu", "net/ipv6/conf/eth0.1/mtu"]);
  const table: [SysctlAllowlist, string, object, string | undefined][] = [
    [plain, "kernel.shm_rmid_forced", {}, undefined],
    [plain, "kernel/shm_rmid_forced", {}, undefined],
    [plain, "net.ipv4.tcp_rmem", {}, undefined],
    [plain, "kernel.msgmax", {}, '"kernel.msgmax" not allowlisted'],
    [plain, "vm.swappiness", {}, '"vm.swappiness" not allowlisted'],
    [
      plain,
      "net.ipv4.tcp_rmem",
      { hostNetwork: true },
      '"net.ipv4.tcp_rmem" not allowed with host Net enabled',
    ],
    [
      plain,
      "kernel.shm_rmid_forced",
      { hostIPC: true },
      '"kernel.shm_rmid_forced" not allowed with host IPC enabled',
    ],
    [wide, "kernel.msgmax", {}, undefined],
    [wide, "kernel.msgmax", { hostIPC: true }, '"kernel.msgmax" not allowed with host IPC enabled'],
    [wide, "net.ipv4.route.min_pmtu", {}, undefined],
    [wide, "net.ipv4.route.min_adv_mss", {}, '"net.ipv4.route.min_adv_mss" not allowlisted'],
    [wide, "net/ipv6/conf/eth0.1/mtu", {}, undefined],
    [wide, "net.ipv6.conf.eth0/1.mtu", {}, undefined],
  ];
  for (const [allowlist, name, spec, why] of table) {
    const refusal = why && { reason: "SysctlForbidden", message: `forbidden sysctl: ${why}` };
    assert.deepEqual(allowlist.admit(withSysctl(name, spec)), refusal, name);
  }
});

test("only sysctls with a value of each pod's own can be allowed", () => {
  for (const pattern of ["kernel.msg*", "kernel.sem", "net.*", "fs.mqueue.msg_max", "net/core/somaxconn"])
    assert.equal(sysctlPatternProblem(pattern), undefined, pattern);
  assert.equal(sysctlPatternProblem("vm.*"), 'the sysctls "vm." are not known to be namespaced');
  assert.equal(sysctlPatternProblem("kernel.*"), 'the sysctls "kernel." are not known to be namespaced');
  assert.match(sysctlPatternProblem("net.*.foo")!, /must have at most 253 characters and match regex/);
});

test("a pod that asks for an AppArmor profile is refused where the kernel has none", () => {
  const without = { appArmor: false, seLinux: false };
  const refusal = {
    reason: "AppArmor",
    message: "Cannot enforce AppArmor: AppArmor is not enabled on the host",
  };
  const profile = (type: string) => ({ securityContext: { appArmorProfile: { type } } });
  const annotated = (value: string) =>
    podOf({}, { "container.apparmor.security.beta.kubernetes.io/c": value });
  const table: [corev1.Pod, object | undefined][] = [
    [podOf({}), undefined],
    [podOf(profile("RuntimeDefault")), refusal],
    [podOf(profile("Localhost")), refusal],
    [podOf(profile("Unconfined")), undefined],
    [podOf({ initContainers: [{ name: "i", image: "i", ...profile("RuntimeDefault") }] }), refusal],
    [annotated("runtime/default"), refusal],
    [annotated("unconfined"), undefined],
  ];
  for (const [pod, expected] of table) assert.deepEqual(admitAppArmor(pod, without), expected);
  assert.equal(admitAppArmor(podOf(profile("Localhost")), { appArmor: true, seLinux: false }), undefined);
});
