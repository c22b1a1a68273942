import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { usageV2 } from "./stats.ts";

const files: Record<string, string> = {
  "cpu.stat": "usage_usec 5000\nuser_usec 3000\nsystem_usec 2000\n",
  "cpu.pressure":
    "some avg10=1.50 avg60=0.20 avg300=0.00 total=700\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
  "memory.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=3\n",
  "memory.current": "4096\n",
  "memory.peak": "8192\n",
  "memory.stat": "anon 100\nfile 200\nfile_mapped 50\ninactive_file 96\npgfault 7\npgmajfault 1\n",
  "memory.events": "low 0\nmax 4\noom 2\noom_kill 1\n",
  "pids.current": "3\n",
  "pids.max": "max\n",
  "io.stat": "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n253:1 rbytes=5 wbytes=0 rios=1 wios=0\n",
};

test("what a cgroup uses is read of cgroup v2 in as much detail as is asked for", () => {
  const folder = mkdtempSync(join(tmpdir(), "peapod-cgroup-"));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    // This process is the one in it.
    writeFileSync(join(folder, "cgroup.procs"), `${process.pid}\n`);
    const usage = usageV2(folder)!;
    assert.deepEqual(
      [usage.cpuUsageNs, usage.memoryUsageBytes, usage.memoryWorkingSetBytes, usage.processCount],
      [5_000_000, 4_096, 4_000, 3],
    );
    assert.deepEqual([usage.pressure, usage.detail], [undefined, undefined]);

    const pressed = usageV2(folder, "pressure")!;
    assert.equal(pressed.detail, undefined);
    const none = { avg10: 0, avg60: 0, avg300: 0, totalUs: 0 };
    assert.deepEqual(pressed.pressure, {
      cpu: { some: { avg10: 1.5, avg60: 0.2, avg300: 0, totalUs: 700 }, full: none },
      memory: { some: { ...none, totalUs: 3 }, full: none },
    });

    const { descriptors, sockets, openFilesMax, ...detail } = usageV2(folder, "all")!.detail!;
    assert.deepEqual(detail, {
      ...{ cpuUserNs: 3_000_000, cpuSystemNs: 2_000_000, memoryCacheBytes: 200, memoryMappedBytes: 50 },
      ...{ memoryMaxBytes: 8_192, memoryLimitHits: 4, oomKills: 1, processes: 1, threads: 3, threadsMax: 0 },
      io: [
        { major: 8, minor: 0, readBytes: 10, writeBytes: 20, reads: 1, writes: 2 },
        { major: 253, minor: 1, readBytes: 5, writeBytes: 0, reads: 1, writes: 0 },
      ],
    });
    assert.ok(descriptors > 0 && sockets >= 0 && openFilesMax! > 0);
    assert.equal(usageV2(join(folder, "nowhere"), "all"), undefined);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
