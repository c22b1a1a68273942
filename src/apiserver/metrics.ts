/** Upper bounds of the buckets, in seconds; as kube-apiserver's `apiserver_request_duration_seconds`, thinned. */
const bucketsS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 60];
/** Different label sets kept; verbs, resources and codes are few, and whatever a client makes up is not among them. */
const seriesMax = 2_000;

interface Series {
  count: number;
  sumS: number;
  buckets: number[];
}

/** What the server counts of its requests. Counting one costs a look-up; text is made when it is asked for. */
export class RequestMetrics {
  readonly #requests = new Map<string, Series>();
  readonly #gauges: { name: string; help: string; value: () => number }[] = [];

  observe(labels: { verb: string; resource: string; code: number }, durationS: number): void {
    const key = `verb="${labels.verb}",resource="${labels.resource}",code="${labels.code}"`;
    let series = this.#requests.get(key);
    if (!series) {
      if (this.#requests.size >= seriesMax) return;
      series = { count: 0, sumS: 0, buckets: new Array<number>(bucketsS.length).fill(0) };
      this.#requests.set(key, series);
    }
    series.count++;
    series.sumS += durationS;
    const bucket = bucketsS.findIndex((limitS) => durationS <= limitS);
    if (bucket >= 0) series.buckets[bucket]!++;
  }

  gauge(name: string, help: string, value: () => number): void {
    this.#gauges.push({ name, help, value });
  }

  /** In Prometheus' text format. */
  text(): string {
    const lines = [
      "# HELP apiserver_request_total Requests answered, by verb, resource and code.",
      "# TYPE apiserver_request_total counter",
    ];
    for (const [key, { count }] of this.#requests) lines.push(`apiserver_request_total{${key}} ${count}`);
    lines.push(
      "# HELP apiserver_request_duration_seconds How long requests took.",
      "# TYPE apiserver_request_duration_seconds histogram",
    );
    for (const [key, series] of this.#requests) lines.push(...histogramLines(key, series));
    for (const { name, help, value } of this.#gauges) {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, `${name} ${value()}`);
    }
    return `${lines.join("\n")}\n`;
  }
}

function histogramLines(key: string, { count, sumS, buckets }: Series): string[] {
  const name = "apiserver_request_duration_seconds";
  let total = 0;
  const lines = buckets.map((inBucket, i) => {
    total += inBucket;
    return `${name}_bucket{${key},le="${bucketsS[i]}"} ${total}`;
  });
  return [
    ...lines,
    `${name}_bucket{${key},le="+Inf"} ${count}`,
    `${name}_sum{${key}} ${sumS}`,
    `${name}_count{${key}} ${count}`,
  ];
}
