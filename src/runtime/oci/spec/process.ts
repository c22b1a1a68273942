import { type ContainerConfig, type ImageConfig, RuntimeError } from "../../contract.ts";

/** Where a command is looked for when neither image nor pod says. */
const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The command line: a pod's command takes the place of the image's entrypoint and cmd, its args of the cmd alone. */
export function commandLine(config: Pick<ContainerConfig, "command" | "args">, image: ImageConfig): string[] {
  const command = config.command ?? [];
  const args = config.args ?? [];
  const line =
    command.length > 0
      ? [...command, ...args]
      : [...(image.Entrypoint ?? []), ...(args.length > 0 ? args : (image.Cmd ?? []))];
  if (line.length === 0) {
    throw new RuntimeError(
      "CreateContainerError",
      "no command specified: neither the image nor the pod has one",
    );
  }
  return line;
}

/** `NAME=value` lines, a later one taking the place of an earlier: defaults, the image's, the container's. */
export function environment(
  config: Pick<ContainerConfig, "env" | "tty">,
  image: ImageConfig,
  hostname: string,
): string[] {
  const byName = new Map<string, string>();
  const put = (line: string) => {
    const name = line.split("=", 1)[0]!;
    if (name) byName.set(name, line);
  };
  put(defaultPath);
  put(`HOSTNAME=${hostname}`);
  if (config.tty) put("TERM=xterm");
  for (const line of image.Env ?? []) put(line);
  for (const { name, value } of config.env) put(`${name}=${value}`);
  return [...byName.values()];
}

export function workingDirectory(config: Pick<ContainerConfig, "workingDir">, image: ImageConfig): string {
  const cwd = config.workingDir || image.WorkingDir || "/";
  // Docker's images may say it without the slash; the specification wants an absolute path.
  return cwd.startsWith("/") ? cwd : `/${cwd}`;
}
