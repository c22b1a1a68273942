/** One series of a metric. */
export interface Series {
  labels?: Readonly<Record<string, string>>;
  value: number;
  /** When it was measured, where that is not now. */
  atMs?: number;
}

export interface Metric {
  name: string;
  help: string;
  type: "counter" | "gauge";
  series: readonly Series[];
}

/** What Prometheus reads: the text format 0.0.4. */
export const expositionType = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";

export function exposition(metrics: readonly Metric[]): string {
  return metrics
    .filter(({ series }) => series.length > 0)
    .map(({ name, help, type, series }) => {
      const lines = series.map(({ labels = {}, value, atMs }) => {
        const time = atMs === undefined ? "" : ` ${Math.round(atMs)}`;
        return `${name}${labelsOf(labels)} ${numberOf(value)}${time}\n`;
      });
      return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
    })
    .join("");
}

function labelsOf(labels: Readonly<Record<string, string>>): string {
  const names = Object.keys(labels).sort();
  if (names.length === 0) return "";
  return `{${names.map((name) => `${name}="${escaped(labels[name]!)}"`).join(",")}}`;
}

const escaped = (text: string) =>
  text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");

/** As Go writes floats: large ones with an exponent. */
function numberOf(value: number): string {
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : value < 0 ? "-Inf" : "NaN";
  if (Math.abs(value) < 1e21 && (Math.abs(value) >= 1e-4 || value === 0)) {
    if (Math.abs(value) < 1e6) return String(value);
    const [mantissa, exponent] = value.toExponential().split("e") as [string, string];
    return `${mantissa}e${exponent.startsWith("-") ? "-" : "+"}${exponent.replace(/^[+-]/, "").padStart(2, "0")}`;
  }
  return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
}
