import { readFile } from "node:fs/promises";
import { parseYaml } from "../../machinery/index.ts";
import { readFields } from "./field.ts";
import { fields, type KubeletConfig } from "./fields.ts";
import { problemsOf } from "./validate.ts";

export const kubeletConfigVersion = "kubelet.config.k8s.io/v1beta1";
export const kubeletConfigKind = "KubeletConfiguration";

/** A user's file: larger is a mistake. */
const fileBytesMax = 1 << 20;

/** What is wrong with a configuration, a line a field. */
export class KubeletConfigError extends Error {
  override name = "KubeletConfigError";
}

/** What holds without a file. */
export function defaultConfig(): KubeletConfig {
  return readFields(fields, {}) as KubeletConfig;
}

/** The configuration that a file says. @throws {@link KubeletConfigError} */
export function parseConfig(bytes: Buffer): KubeletConfig {
  const { kind, apiVersion, ...given } = document(bytes);
  if (apiVersion !== kubeletConfigVersion || kind !== kubeletConfigKind) {
    throw new KubeletConfigError(
      `must be a ${kubeletConfigKind} of ${kubeletConfigVersion}, and is kind ${JSON.stringify(kind ?? "")} of apiVersion ${JSON.stringify(apiVersion ?? "")}`,
    );
  }
  let config: KubeletConfig;
  try {
    config = readFields(fields, given) as KubeletConfig;
  } catch (error) {
    throw new KubeletConfigError((error as Error).message);
  }
  const problems = problemsOf(config);
  if (problems.length > 0) throw new KubeletConfigError(problems.join("\n"));
  return config;
}

/** The configuration in a file, or the defaults where there is none. @throws {@link KubeletConfigError} */
export async function readConfig(path: string): Promise<KubeletConfig> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return defaultConfig();
    throw error;
  }
  return parseConfig(bytes);
}

function document(bytes: Buffer): Record<string, unknown> {
  if (bytes.length > fileBytesMax) throw new KubeletConfigError(`is larger than ${fileBytesMax} bytes`);
  let parsed: ReturnType<typeof parseYaml>;
  try {
    parsed = parseYaml(bytes, { duplicates: "find" });
  } catch (error) {
    throw new KubeletConfigError((error as Error).message);
  }
  const [twice] = parsed.duplicates;
  if (twice !== undefined) throw new KubeletConfigError(`${twice}: is there twice`);
  const { value } = parsed;
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new KubeletConfigError(`must be a ${kubeletConfigKind}`);
  return value as Record<string, unknown>;
}
