import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { CommandContext } from "../context.ts";
import { UserError } from "../errors.ts";
import { requireAbleHost } from "../host/checks.ts";
import { findKubectl } from "../kubectl.ts";
import { styled } from "../output.ts";
import { setup } from "./setup.ts";
import { up } from "./up.ts";

const manifest = `apiVersion: v1
kind: Pod
metadata:
  name: multi-container-demo
spec:
  containers:
  - name: nginx
    image: nginx
  - name: toolbox
    image: busybox
    command: ["sleep", "3600"]
`;

/** Far more than a healthy start needs; a pull of nginx over a slow line included. */
const readyTimeout = "180s";

/** Makes the demo's images available to the cluster where Docker Hub cannot be reached; says what it did. */
export interface DemoImages {
  /** Returns a sentence for the user, or undefined when nothing had to be done. */
  provide(context: CommandContext): Promise<string | undefined>;
}

/** From nothing to a real pod of two containers, shown with kubectl. */
export async function demo(
  context: CommandContext,
  options: { port: number; nodeName: string },
  images: DemoImages,
) {
  await setup(context, "demo");
  requireAbleHost(context);
  mkdirSync(context.dir.root, { recursive: true, mode: 0o700 });
  const said = await images.provide(context);
  if (said) context.print(said);
  await up(context, { port: options.port, detach: true, logLevel: "info", nodeName: options.nodeName });

  const file = join(context.dir.root, "demo.yaml");
  writeFileSync(file, manifest);
  const kubectl = findKubectl(context.env.PATH ?? "", context.cacheDir);
  const run = (...args: string[]) => showCommand(context, kubectl, args);
  const pod = "multi-container-demo";

  context.print(`\n${styled(context.terminal, "dim", `# ${file}`)}\n${manifest.trimEnd()}`);
  await run("apply", "-f", file);
  await run("wait", "--for=condition=Ready", `pod/${pod}`, `--timeout=${readyTimeout}`);
  await run("get", "pods", "-o", "wide");
  context.print(
    styled(context.terminal, "dim", "# one network stack: nginx answers the other container on localhost"),
  );
  await run("exec", pod, "-c", "toolbox", "--", "wget", "-qO-", "localhost");
  context.print(styled(context.terminal, "dim", "# one IP, seen from both containers"));
  const first = await run("exec", pod, "-c", "nginx", "--", "hostname", "-i");
  const second = await run("exec", pod, "-c", "toolbox", "--", "hostname", "-i");
  if (first !== second) throw new UserError(`the containers see different addresses: ${first} and ${second}`);
  await run("logs", pod, "-c", "nginx", "--tail=3");

  const peapod = context.command;
  const dir = context.dir.isDefault ? "" : ` --data-dir ${context.dir.root}`;
  context.print(`
${styled(context.terminal, "bold", "The cluster keeps running. To go on:")}

  export KUBECONFIG=${context.dir.kubeconfig}

  kubectl describe pod ${pod}
  kubectl create deployment web --image=nginx --replicas=3
  kubectl exec -it ${pod} -c toolbox -- sh

To stop it: ${peapod} down${dir}           (its data stays)
            ${peapod} down --purge${dir}   (nothing stays)`);
}

const exec = promisify(execFile);

/** Shows a command as a person would type it, runs it, shows what it printed; returns that. */
async function showCommand(
  context: CommandContext,
  kubectl: string,
  args: readonly string[],
): Promise<string> {
  context.print(
    `\n${styled(context.terminal, "cyan", "$")} ${styled(context.terminal, "bold", `kubectl ${args.join(" ")}`)}`,
  );
  try {
    const { stdout } = await exec(kubectl, args, {
      env: { ...context.env, KUBECONFIG: context.dir.kubeconfig },
      maxBuffer: 16 * 1024 * 1024,
    });
    context.print(stdout.trimEnd());
    return stdout.trim();
  } catch (cause) {
    const { stdout = "", stderr = "" } = cause as { stdout?: string; stderr?: string };
    throw new UserError(`kubectl ${args.join(" ")} failed:\n${stdout}${stderr}`.trimEnd(), {
      remedy: `kubectl --kubeconfig ${context.dir.kubeconfig} describe pod multi-container-demo`,
      cause,
    });
  }
}
