import type { BenchCluster } from "./bench-cluster.ts";
import type { Handmade, UpAndDown } from "./by-hand.ts";
import { median, ms, perSecond, type Row } from "./measure.ts";
import { demoPod, onePod } from "./pod-manifests.ts";
import { PodWatch, pods } from "./pod-watch.ts";

/** POST to Ready and DELETE to gone, one pod after the other, in turn with the same by hand. */
export async function podRows(cluster: BenchCluster, byHand: Handmade, runs = 20): Promise<Row[]> {
  const watch = await PodWatch.open(cluster);
  const { client } = cluster;
  let serial = 0;
  const once = async (manifest: (name: string) => object) => {
    const name = `run-${serial++}`;
    const body = JSON.stringify(manifest(name));
    const ready = watch.ready(name);
    const startMs = performance.now();
    await client.send("POST", pods, body);
    await ready;
    const upMs = performance.now() - startMs;
    const gone = watch.gone(name);
    const deleteMs = performance.now();
    await client.send("DELETE", `${pods}/${name}`);
    await gone;
    return { upMs, downMs: performance.now() - deleteMs };
  };
  const samples = {
    plain: [] as UpAndDown[],
    token: [] as UpAndDown[],
    term: [] as UpAndDown[],
    handTerm: [] as UpAndDown[],
    hand: [] as UpAndDown[],
  };
  for (let i = -2; i < runs; i++) {
    const [hand, handTerm, plain, token, term] = [
      await byHand.demoPod(),
      await byHand.onePod(),
      await once((name) => demoPod(name)),
      await once((name) => demoPod(name, { automountServiceAccountToken: true })),
      await once(onePod),
    ];
    if (i < 0) continue; // Warm-up.
    samples.hand.push(hand);
    samples.handTerm.push(handTerm);
    samples.plain.push(plain);
    samples.token.push(token);
    samples.term.push(term);
  }
  const up = (of: UpAndDown[]) => median(of.map((s) => s.upMs));
  const down = (of: UpAndDown[]) => median(of.map((s) => s.downMs));
  const [hand, plain, token] = [up(samples.hand), up(samples.plain), up(samples.token)];
  const [handDown, termDown] = [down(samples.handTerm), down(samples.term)];
  return [
    {
      what: "demo pod, POST until Ready (by hand)",
      result: `${ms(plain)} (${ms(hand)}): ${(plain / hand).toFixed(2)} ×`,
      target: "≤ 2 × by hand",
      met: plain <= 2 * hand,
    },
    {
      what: "the same with a service account's token",
      result: `+ ${ms(token - plain)}`,
      target: "≤ 10 ms more",
      met: token - plain <= 10,
    },
    {
      what: "deletion until gone, obeys TERM (by hand)",
      result: `${ms(termDown)} (${ms(handDown)}): ${(termDown / handDown).toFixed(2)} ×`,
      target: "≤ 2 × by hand",
      met: termDown <= 2 * handDown,
    },
  ];
}

/** Fifty pods at once. */
export async function crowdRow(cluster: BenchCluster, count = 50): Promise<Row> {
  const watch = await PodWatch.open(cluster);
  const { client } = cluster;
  const rates: number[] = [];
  for (let round = 0; round < 3; round++) {
    const names = Array.from({ length: count }, (_, i) => `crowd-${round}-${i}`);
    const allReady = Promise.all(names.map(watch.ready));
    const startMs = performance.now();
    await Promise.all(names.map((name) => client.send("POST", pods, JSON.stringify(onePod(name)))));
    await allReady;
    rates.push(count / ((performance.now() - startMs) / 1000));
    const allGone = Promise.all(names.map(watch.gone));
    await client.send("DELETE", `${pods}?labelSelector=bench%3Done`);
    await allGone;
  }
  const rate = median(rates);
  return {
    what: `${count} one-container pods at once until all Ready`,
    result: perSecond(rate),
    target: "≥ 40/s",
    met: rate >= 40,
  };
}
