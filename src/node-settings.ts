import { existsSync, readFileSync } from "node:fs";
import { replaceFile } from "./base/index.ts";
import { type DataDir, UserError } from "./cli/index.ts";
import { type KubeletConfig, KubeletConfigError, readConfig, requireRoom } from "./kubelet/index.ts";

/** The node's settings, from the file given, which is kept, or from the one that was kept. */
export async function nodeSettings(dir: DataDir, given: string | undefined): Promise<KubeletConfig> {
  const path = given ?? dir.kubeletConfig;
  if (given !== undefined && !existsSync(given)) throw new UserError(`${given}: there is no such file`);
  try {
    const config = await readConfig(path);
    await requireRoom(config, dir.root);
    if (given !== undefined) replaceFile(dir.kubeletConfig, readFileSync(given), { mode: 0o600 });
    return config;
  } catch (cause) {
    if (!(cause instanceof KubeletConfigError)) throw cause;
    throw new UserError(`${path}: ${cause.message.replaceAll("\n", "\n  ")}`, {
      remedy: "correct it, or remove it for the defaults",
      cause,
    });
  }
}
