import assert from "node:assert/strict";
import { test } from "node:test";
import type {
  ContainerConfig,
  ImageConfig,
  Mount,
  PodSandboxConfig,
  RuntimeError,
  SecurityContext,
} from "../../contract.ts";
import {
  allCapabilities,
  capabilitiesOfMask,
  containerCapabilities,
  defaultCapabilities,
} from "./capabilities.ts";
import { containerMounts, normalized } from "./mounts.ts";
import { commandLine, environment, workingDirectory } from "./process.ts";
import { seccompFilter } from "./seccomp.ts";
import { buildSpec, type SpecInput } from "./spec.ts";
import { resolveUser } from "./user.ts";

test("command and args take the place of the image's entrypoint and cmd as Kubernetes documents it", () => {
  const image: ImageConfig = { Entrypoint: ["/ep"], Cmd: ["a", "b"] };
  const cases: [string[] | undefined, string[] | undefined, string[]][] = [
    [undefined, undefined, ["/ep", "a", "b"]],
    [["/c"], undefined, ["/c"]],
    [undefined, ["x"], ["/ep", "x"]],
    [["/c"], ["x"], ["/c", "x"]],
    [[], [], ["/ep", "a", "b"]],
  ];
  for (const [command, args, expected] of cases)
    assert.deepEqual(commandLine({ command, args }, image), expected);
  assert.throws(() => commandLine({}, {}), /no command specified/);
});

test("the pod's variables win over the image's, and a path is there in any case", () => {
  const env = environment(
    {
      env: [
        { name: "A", value: "pod" },
        { name: "EMPTY", value: "" },
      ],
      tty: true,
    },
    { Env: ["PATH=/img", "A=image", "B=x=y"] },
    "host-a",
  );
  assert.deepEqual(env, ["PATH=/img", "HOSTNAME=host-a", "TERM=xterm", "A=pod", "B=x=y", "EMPTY="]);
  assert.match(environment({ env: [], tty: false }, {}, "h")[0]!, /^PATH=.*:\/bin$/);
});

test("the working directory is the pod's, the image's or the root", () => {
  assert.equal(workingDirectory({ workingDir: "/a" }, { WorkingDir: "/b" }), "/a");
  assert.equal(workingDirectory({}, { WorkingDir: "srv" }), "/srv");
  assert.equal(workingDirectory({}, {}), "/");
});

const accounts = {
  passwd: "root:x:0:0::/root:/bin/sh\nbroken line\nweb:x:101:102::/:/bin/sh\n7:x:900:901::/:\n",
  group: "root:x:0:\nlogs:x:150:web, other\nweb:x:102:\nadmin:x:4:root\n",
};

test("users and groups are looked up in the image, and need not be there when they are numbers", () => {
  const user = (
    security: Partial<
      Pick<SecurityContext, "runAsUser" | "runAsUsername" | "runAsGroup" | "supplementalGroupsPolicy">
    >,
    image: ImageConfig = {},
    supplementalGroups: number[] = [],
  ) => {
    const {
      uid,
      gid,
      supplementalGroups: groups,
    } = resolveUser({ ...security, supplementalGroups }, image, accounts);
    return [uid, gid, groups];
  };
  assert.deepEqual(user({}), [0, 0, [0, 4]]);
  assert.deepEqual(user({}, { User: "web" }), [101, 102, [102, 150]]);
  assert.deepEqual(user({}, { User: "101" }), [101, 102, [102, 150]]);
  assert.deepEqual(user({}, { User: "web:logs" }), [101, 150, [150]]);
  assert.deepEqual(user({}, { User: "5000:6000" }), [5000, 6000, [6000]]);
  assert.deepEqual(user({ runAsUser: 5000 }, { User: "web" }, [9, 8]), [5000, 0, [0, 8, 9]]);
  assert.deepEqual(user({ runAsUser: 101, runAsGroup: 3 }), [101, 3, [3, 150]]);
  assert.deepEqual(user({ runAsUser: 101, supplementalGroupsPolicy: "Strict" }, {}, [8]), [
    101,
    102,
    [8, 102],
  ]);
  assert.deepEqual(user({}, { User: "7" }), [900, 901, [901]]);
  assert.throws(() => user({}, { User: "ghost" }), /no user "ghost"/);
  assert.throws(() => user({}, { User: "web:ghosts" }), /no group "ghosts"/);
});

test("capabilities start from the default set, drop before add, and never pass what the host has", () => {
  const caps = (add: string[], drop: string[], privileged = false, available = allCapabilities) =>
    containerCapabilities({ privileged, capabilities: { add, drop } }, available);
  assert.equal(caps([], []).length, 14);
  assert.deepEqual(new Set(caps([], [])), new Set(defaultCapabilities));
  assert.deepEqual(caps([], ["ALL"]), []);
  assert.deepEqual(caps(["net_bind_service"], ["all"]), ["CAP_NET_BIND_SERVICE"]);
  assert.deepEqual(
    caps(["ALL"], ["SYS_ADMIN"]),
    allCapabilities.filter((name) => name !== "CAP_SYS_ADMIN"),
  );
  assert.ok(caps(["CAP_SYS_TIME"], []).includes("CAP_SYS_TIME"));
  assert.deepEqual(caps([], [], true), allCapabilities);
  const without = allCapabilities.filter((name) => name !== "CAP_SYS_RESOURCE");
  assert.deepEqual(caps(["ALL"], [], false, without), without);
  assert.throws(() => caps(["SYS_RESOURCE"], [], false, without), /"CAP_SYS_RESOURCE" is not available/);
  assert.throws(() => caps(["FLY"], []), /unknown capability "CAP_FLY"/);
  assert.deepEqual(
    capabilitiesOfMask("00000000a80425fb"),
    allCapabilities.filter((n) => defaultCapabilities.includes(n)),
  );
});

test("the default seccomp profile opens with capabilities, and privileged or Unconfined have none", () => {
  const filter = (
    capabilities: string[],
    type?: "RuntimeDefault" | "Unconfined" | "Localhost",
    privileged = false,
  ) =>
    seccompFilter(type && { type }, {
      privileged,
      capabilities,
      architecture: "x64",
      localhost: { defaultAction: "SCMP_ACT_LOG", syscalls: [] },
    });
  const plain = filter([])!;
  const always = (of: typeof plain) =>
    new Set(
      of.syscalls
        .filter((rule) => rule.action === "SCMP_ACT_ALLOW" && !rule.args)
        .flatMap((rule) => rule.names),
    );
  for (const name of ["read", "openat", "execve", "futex"]) assert.ok(always(plain).has(name), name);
  for (const name of ["mount", "bpf", "reboot", "keyctl", "clone", "unshare"])
    assert.ok(!always(plain).has(name), name);
  const admin = always(filter(["CAP_SYS_ADMIN"])!);
  for (const name of ["mount", "unshare", "clone3"]) assert.ok(admin.has(name), name);
  assert.equal(filter([], "Unconfined"), undefined);
  assert.equal(filter([], "RuntimeDefault", true), undefined);
  assert.equal(filter([], "Localhost")?.defaultAction, "SCMP_ACT_LOG");
});

const noMounts = {
  privileged: false,
  shmPath: "/run/shm",
  resolvConfPath: "/run/resolv.conf",
  cgroup: [{ destination: "/sys/fs/cgroup", type: "tmpfs", source: "tmpfs", options: [] }],
  imageSources: new Map<Mount, string>(),
};
const mount = (containerPath: string, changes: object = {}) => ({
  ...{ containerPath, hostPath: "/host", readOnly: false, propagation: "private" as const },
  ...changes,
});

test("mounts come outer before inner, and take the place of the default ones", () => {
  const list = containerMounts({
    ...noMounts,
    mounts: [mount("/a/b/c"), mount("/a/"), mount("/dev/shm"), mount("/a/b")],
  });
  const paths = list.map(({ destination }) => destination);
  assert.deepEqual(paths.slice(-4), ["/a", "/dev/shm", "/a/b", "/a/b/c"]);
  assert.equal(paths.filter((path) => path === "/dev/shm").length, 1);
  assert.ok(paths.indexOf("/proc") === 0 && paths.includes("/etc/resolv.conf"));
});

test("mount options say access and propagation", () => {
  const options = (changes: object) =>
    containerMounts({ ...noMounts, mounts: [mount("/m", changes)] }).at(-1)!;
  assert.deepEqual(options({}).options, ["rbind", "rprivate", "rw"]);
  assert.deepEqual(options({ readOnly: true, propagation: "hostToContainer" }).options, [
    "rbind",
    "rslave",
    "ro",
  ]);
  assert.deepEqual(options({ propagation: "bidirectional" }).options, ["rbind", "rshared", "rw"]);
  assert.deepEqual(options({ readOnly: true, recursiveReadOnly: true }).options, [
    "rbind",
    "rprivate",
    "rro",
  ]);
  const image = mount("/x", { imageId: "sha256:data", hostPath: "", readOnly: true });
  const mounted = containerMounts({
    ...noMounts,
    mounts: [image],
    imageSources: new Map([[image, "/images/data"]]),
  }).at(-1)!;
  assert.equal(mounted.source, "/images/data");
  assert.deepEqual(mounted.options, ["rbind", "rprivate", "ro", "noexec"]);
  assert.throws(() => options({ recursiveReadOnly: true }), /needs readOnly/);
  assert.throws(() => containerMounts({ ...noMounts, mounts: [mount("relative")] }), /not absolute/);
});

test("paths are normalized without looking at the disk", () => {
  const cases = [
    ["/", "/"],
    ["/a/", "/a"],
    ["//a//b/.", "/a/b"],
    ["/a/../../b", "/b"],
  ] as const;
  for (const [path, expected] of cases) assert.equal(normalized(path), expected);
});

function input(
  changes: { config?: object; security?: object; linux?: object; host?: object } = {},
): SpecInput {
  const config = {
    ...{
      metadata: { name: "c", attempt: 0 },
      imageId: "i",
      imageName: "i",
      command: ["/c"],
      env: [],
      mounts: [],
    },
    ...{
      labels: {},
      annotations: {},
      logPath: "",
      stdin: false,
      stdinOnce: false,
      tty: false,
      ...changes.config,
    },
    linux: {
      resources: { oomScoreAdj: -997 },
      security: {
        ...{ privileged: false, supplementalGroups: [], readOnlyRootfs: false, noNewPrivileges: true },
        ...{ capabilities: { add: [], drop: [] }, procMount: "Default" as const, ...changes.security },
      },
    },
  } as ContainerConfig;
  const sandbox = {
    hostname: "h",
    linux: {
      ...{ cgroupParent: "", sysctls: {}, privileged: false },
      namespaces: { network: "pod", ipc: "pod", pid: "container" },
      ...changes.linux,
    },
  } as unknown as PodSandboxConfig;
  return {
    ...{ config, sandbox, image: {}, user: { uid: 1, gid: 2, supplementalGroups: [2, 3] } },
    host: {
      ...{
        capabilities: allCapabilities,
        oomScoreAdjMin: -1000,
        apparmor: false,
        selinux: false,
        architecture: "x64",
      },
      ...changes.host,
    },
    ...{
      rootfsPath: "/r",
      namespaces: { network: "/n", ipc: "/i", uts: "/u" },
      shmPath: "/s",
      resolvConfPath: "/rc",
    },
    cgroup: { mounts: [], namespace: true, cgroupsPath: "/x/y" },
    ...{ devices: [], imageSources: new Map() },
  };
}

test("a container joins the pod's namespaces and has its own mounts and processes", () => {
  const spec = buildSpec(input());
  assert.deepEqual(spec.linux.namespaces, [
    { type: "mount" },
    { type: "pid" },
    { type: "network", path: "/n" },
    { type: "ipc", path: "/i" },
    { type: "uts", path: "/u" },
    { type: "cgroup" },
  ]);
  assert.deepEqual(spec.process.user, { uid: 1, gid: 2, additionalGids: [2, 3] });
  assert.equal(spec.process.noNewPrivileges, true);
  assert.equal(spec.linux.cgroupsPath, "/x/y");
  const shared = buildSpec(input({ linux: { namespaces: { network: "pod", ipc: "pod", pid: "node" } } }));
  assert.ok(!shared.linux.namespaces.some(({ type }) => type === "pid"));
});

test("what the host cannot give is clamped or refused", () => {
  assert.equal(buildSpec(input()).process.oomScoreAdj, -997);
  assert.equal(buildSpec(input({ host: { oomScoreAdjMin: 0 } })).process.oomScoreAdj, 0);
  const refused = (changes: Parameters<typeof input>[0], message: RegExp) =>
    assert.throws(
      () => buildSpec(input(changes)),
      (error: RuntimeError) => message.test(error.message),
    );
  refused({ security: { apparmorProfile: "strict" } }, /AppArmor/);
  assert.equal(
    buildSpec(input({ security: { selinux: { level: "s0:c1" } } })).process.selinuxLabel,
    undefined,
  );
  const labelled = buildSpec(input({ security: { selinux: { level: "s0:c1" } }, host: { selinux: true } }));
  assert.equal(labelled.process.selinuxLabel, "system_u:system_r:container_t:s0:c1");
});

test("masked paths, the filter and read-only /proc are gone only for privileged or Unmasked", () => {
  const plain = buildSpec(input());
  assert.ok(plain.linux.maskedPaths!.includes("/proc/kcore") && plain.linux.seccomp);
  const unmasked = buildSpec(input({ security: { procMount: "Unmasked" } }));
  assert.deepEqual([unmasked.linux.maskedPaths, unmasked.linux.readonlyPaths], [[], []]);
  const privileged = buildSpec(input({ security: { privileged: true } }));
  assert.equal(privileged.linux.seccomp, undefined);
  assert.deepEqual(privileged.process.capabilities.effective, allCapabilities);
});
