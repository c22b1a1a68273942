import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { podsMaxOf } from "../node/capacity.ts";
import { parseDuration } from "./duration.ts";
import type { Field } from "./field.ts";
import { duration, flag, group, integer, mapOf, only, quantity, readFields, texts } from "./field.ts";
import { fields } from "./fields.ts";
import { defaultConfig, parseConfig, readConfig } from "./read-config.ts";
import { oomKillsOf, parallelPullsOf } from "./settled.ts";
import { readMinimumReclaim, readThreshold, thresholdAmount } from "./thresholds.ts";

const header = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n";
const parse = (yaml: string) => parseConfig(Buffer.from(header + yaml));

test("a kubelet configuration is read with upstream's names, and the rest are upstream's defaults", async () => {
  const config = parse("maxPods: 20\npodsPerCore: 4\nclusterDNS: [10.0.0.10]\n");
  assert.equal(config.maxPods, 20);
  assert.deepEqual(config.clusterDNS, ["10.0.0.10"]);
  assert.equal(config.clusterDomain, "cluster.local");
  assert.equal(podsMaxOf(config, 2), 8);
  assert.equal(podsMaxOf(config, 64), 20);
  const byDefault = await readConfig("/nowhere/kubelet.yaml");
  assert.equal(byDefault.maxPods, 110);
  assert.equal(byDefault.evictionPressureTransitionPeriod.ms, 300_000);
  assert.equal(byDefault.evictionHard["memory.available"] !== undefined, true);
});

test("what a kubelet configuration cannot be is refused by the field's name", () => {
  const refused: [string, RegExp][] = [
    ["maxpods: 20", /^maxpods: unknown field, did you mean maxPods\?$/],
    ["replicas: 20", /^replicas: unknown field$/],
    ["maxPods: -1", /^maxPods: must be at least 0$/],
    ["maxPods: many", /^maxPods: must be an integer$/],
    ["maxPods: 1\nmaxPods: 2", /^maxPods: is there twice$/],
    ["clusterDNS: 10.0.0.10", /^clusterDNS: must be a list of strings$/],
    ["cgroupDriver: systemd", /^cgroupDriver: can only be "cgroupfs" here$/],
    ["maxPods: x\npodsPerCore: y", /^maxPods: .*\npodsPerCore: .*$/],
    [
      "maxParallelImagePulls: 3\nserializeImagePulls: true",
      /^maxParallelImagePulls cannot be larger than 1 unless serializeImagePulls is set to false$/,
    ],
    ["userNamespaces: {idsPerPod: 100000}", /^userNamespaces\.idsPerPod must be a multiple of 65536$/],
    ["allowedUnsafeSysctls: [vm.*]", /^the sysctls "vm\." are not known to be namespaced$/],
    [
      "shutdownGracePeriod: 10s\nshutdownGracePeriodByPodPriority: [{priority: 1, shutdownGracePeriodSeconds: 2}]",
      /^shutdownGracePeriodByPodPriority cannot be given beside shutdownGracePeriod or shutdownGracePeriodCriticalPods$/,
    ],
    [
      "shutdownGracePeriodByPodPriority: [{priority: 1}]",
      /^shutdownGracePeriodByPodPriority: \[0\]: .*is missing$/,
    ],
    ["shutdownGracePeriodByPodPriority: 3", /^shutdownGracePeriodByPodPriority: must be a list$/],
    ["- maxPods", /./],
  ];
  for (const [yaml, message] of refused) assert.throws(() => parse(yaml), { message });
  assert.throws(() => parseConfig(Buffer.from("kind: KubeletConfiguration\n")), {
    message:
      'must be a KubeletConfiguration of kubelet.config.k8s.io/v1beta1, and is kind "KubeletConfiguration" of apiVersion ""',
  });
});

test("each kind of field takes what Go's types take, and nothing else", () => {
  const read = (field: Field<unknown>, value: unknown) => readFields({ field }, { field: value })["field"];
  const usedIn = "x.ts";
  const accepted: [Field<unknown>, unknown, unknown][] = [
    [duration({ defaultMs: 5, usedIn }), "1m30s", { ms: 90_000 }],
    [duration({ defaultMs: 5, usedIn }), "0s", { ms: 5 }],
    [duration({ defaultMs: undefined, usedIn }), null, undefined],
    [flag({ default: true, usedIn }), false, false],
    [only("none"), "none", "none"],
    [group({ a: integer({ default: 1, usedIn }), b: integer({ default: 2 }) }), { a: 7 }, { a: 7, b: 2 }],
    [
      mapOf({ default: {}, keys: ["a"], read: (value: string) => `<${value}>`, usedIn }),
      { a: 1 },
      { a: "<1>" },
    ],
  ];
  for (const [field, value, expected] of accepted) assert.deepEqual(read(field, value), expected);
  const refused: [Field<unknown>, unknown, RegExp][] = [
    [integer({ default: 1 }), 1, /^field: not supported by this kubelet$/],
    [duration({ defaultMs: 5, usedIn }), 90, /must be a string/],
    [duration({ defaultMs: 5, usedIn }), "90", /must be a duration/],
    [duration({ defaultMs: 5, usedIn }), "-1s", /must not be negative/],
    [duration({ defaultMs: 5, minMs: 1_000, maxMs: 2_000, usedIn }), "3s", /between 1s and 2s/],
    [flag({ default: true, usedIn }), "yes", /must be true or false/],
    [quantity({ default: "1", usedIn }), "1 GB", /is no quantity/],
    [texts({ default: [], oneOf: ["a", "b"], usedIn }), ["c"], /has "c"; known are "a", "b"/],
    [texts({ default: [], usedIn }), ["c", "c"], /has "c" twice/],
    [
      mapOf({ default: {}, keys: ["a"], read: String, usedIn }),
      { b: "1" },
      /has "b", which is not supported/,
    ],
    [group({ a: integer({ default: 1, usedIn }) }), { b: 7 }, /^field: b: unknown field$/],
  ];
  for (const [field, value, message] of refused) assert.throws(() => read(field, value), { message });
});

test("thresholds are amounts or parts of what there is", () => {
  assert.equal(thresholdAmount(readThreshold("100Mi", "memory.available")!, 1), 100 * 2 ** 20);
  assert.equal(thresholdAmount(readThreshold("10%", "memory.available")!, 1_000), 100);
  assert.equal(readThreshold("0%", "memory.available"), undefined);
  const nodefs = defaultConfig().evictionHard["nodefs.available"]!;
  assert.equal(thresholdAmount(nodefs, 2 ** 30), Math.trunc(2 ** 30 * Math.fround(0.1)));
  assert.equal(thresholdAmount(nodefs, 2 ** 40), 2 ** 30, "a tenth of a large disk is no shortage");
  for (const wrong of ["-1", "0", "101%", "-1%", "%", "much"])
    assert.throws(() => readThreshold(wrong, "memory.available"), /memory\.available/);
  assert.throws(() => readMinimumReclaim("0%", "memory.available"), /must be positive/);
});

test("durations are read as Go reads them", () => {
  const table: [string, number | undefined][] = [
    ["0", 0],
    ["1h2m3.5s", 3_723_500],
    ["1.5h", 5_400_000],
    ["100ms", 100],
    ["-5s", -5_000],
    ["5", undefined],
    ["", undefined],
    ["5 s", undefined],
    ["1d", undefined],
  ];
  for (const [text, ms] of table) assert.equal(parseDuration(text)?.ms, ms, text);
});

test("images are pulled one at a time, or as many as is said", () => {
  assert.equal(parallelPullsOf(parse("serializeImagePulls: true")), 1);
  assert.equal(parallelPullsOf(parse("maxParallelImagePulls: 7")), 7);
  assert.equal(parallelPullsOf(defaultConfig()), 4);
});

test("out of memory, a container is killed as a whole where the kernel can, unless settings say otherwise", () => {
  const table: [yaml: string, cgroups: "v1" | "v2", kills: string | undefined][] = [
    ["", "v2", "container"],
    ["singleProcessOOMKill: false", "v2", "container"],
    ["singleProcessOOMKill: true", "v2", "process"],
    ["", "v1", "process"],
    ["singleProcessOOMKill: true", "v1", "process"],
    ["singleProcessOOMKill: false", "v1", undefined],
  ];
  for (const [yaml, cgroups, kills] of table) assert.equal(oomKillsOf(parse(yaml), cgroups), kills, yaml);
});

/** Every field with its way from the top. */
function all(table: Record<string, Field<unknown>>): [string, Field<unknown>][] {
  return Object.entries(table).flatMap(([name, field]) =>
    "fields" in field ? all(field.fields as Record<string, Field<unknown>>) : [[name, field]],
  );
}

test("a field that is accepted is read by the file it names", () => {
  const top = dirname(dirname(fileURLToPath(import.meta.url)));
  const unread = all(fields).filter(([name, { usedIn }]) => {
    if (usedIn === undefined) return false;
    const path = join(top, usedIn);
    return !existsSync(path) || !readFileSync(path, "utf8").includes(name);
  });
  assert.deepEqual(unread, []);
});
