import {
  chmod,
  copyFile,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { baseDirectories, baseFiles, nginxFiles, stickyDirectories } from "./base-files.ts";
import { busyboxProgram } from "./busybox.ts";
import { dependenciesOf, extractPackages, run } from "./debian-packages.ts";
import { type LayerBlob, OciLayout } from "./oci-layout.ts";

/** Raised whenever what is built changes, so that an old cache is not taken for it. */
const recipe = "2";
const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface BuiltImage {
  /** `docker.io/library/nginx:latest`. */
  name: string;
  /** An OCI layout with this one image. */
  layout: string;
}

/**
 * Builds `busybox` and `nginx` from Debian's packages, as stand-ins for Docker Hub's where that cannot be reached.
 * They stay in `cacheDir`; where they are there already, nothing is done and `onProgress` is not called.
 *
 * @throws Error that says which step failed, for a person to act on
 */
export async function buildDemoImages(
  cacheDir: string,
  options: { onProgress?: (line: string) => void } = {},
): Promise<BuiltImage[]> {
  const say = options.onProgress ?? (() => {});
  const done = join(cacheDir, `debian-${recipe}-${process.arch}`);
  const images = [
    { name: "docker.io/library/busybox:latest", layout: join(done, "busybox") },
    { name: "docker.io/library/nginx:latest", layout: join(done, "nginx") },
  ];
  if (await exists(done)) return images;
  await mkdir(cacheDir, { recursive: true });
  const work = await mkdtemp(join(cacheDir, "building-"));
  try {
    const architecture = (await run("dpkg", ["--print-architecture"])).trim().replace("armhf", "arm");
    say("Building the busybox image from Debian's packages …");
    const base = await busyboxRoot(work, say);
    const busybox = await OciLayout.create(join(work, "out/busybox"));
    const baseLayer = await busybox.addLayer(base);
    const shell = { Env: [path], Cmd: ["sh"] };
    await busybox.finish({ name: images[0]!.name, architecture, layers: [baseLayer], config: shell });

    say("Building the nginx image from Debian's packages …");
    const root = await nginxRoot(work);
    await writeNginxImage({ work, root, baseLayer, busybox, architecture, name: images[1]!.name });
    await rename(join(work, "out"), done).catch(async (error: NodeJS.ErrnoException) => {
      // Another process built the same meanwhile.
      if (!(await exists(done))) throw error;
    });
    return images;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function writeNginxImage(options: {
  work: string;
  root: string;
  baseLayer: LayerBlob;
  busybox: OciLayout;
  architecture: string;
  name: string;
}): Promise<void> {
  const { work, root, baseLayer, busybox, architecture, name } = options;
  const nginx = await OciLayout.create(join(work, "out/nginx"));
  const blob = `blobs/sha256/${baseLayer.digest.slice("sha256:".length)}`;
  await copyFile(join(busybox.dir, blob), join(nginx.dir, blob));
  const layers = [baseLayer, await nginx.addLayer(root)];
  // As Docker Hub's image: in the foreground, QUIT lets requests under way end.
  const config = {
    Env: [path],
    Cmd: ["nginx", "-g", "daemon off;"],
    ExposedPorts: { "80/tcp": {} },
    StopSignal: "SIGQUIT",
  };
  await nginx.finish({ name, architecture, layers, config });
}

async function busyboxRoot(work: string, say: (line: string) => void): Promise<string> {
  const root = join(work, "busybox");
  await makeDirectories(root, baseDirectories);
  for (const name of stickyDirectories) await chmod(join(root, name), 0o1777);
  await chmod(join(root, "root"), 0o700);
  await writeFiles(root, baseFiles);
  await chmod(join(root, "etc/shadow"), 0o640);
  const program = await busyboxProgram(join(work, "busybox-packages"), say);
  await copyFile(program, join(root, "bin/busybox"));
  for (const applet of (await run(program, ["--list"])).split("\n")) {
    if (applet !== "" && applet !== "busybox") await symlink("busybox", join(root, "bin", applet));
  }
  return root;
}

/** nginx and the libraries that it is linked with; everything else is the base image's. */
async function nginxRoot(work: string): Promise<string> {
  const root = join(work, "nginx");
  const libraries = (await dependenciesOf("nginx")).filter((name) => /^(?:lib|zlib)/.test(name));
  const extracted = await extractPackages(
    ["nginx", "nginx-common", ...libraries],
    join(work, "nginx-packages"),
  );
  await makeDirectories(root, [
    "etc/nginx/conf.d",
    "usr/lib",
    "usr/sbin",
    "usr/share/nginx/html",
    "var/lib/nginx",
    "var/log/nginx",
  ]);
  for (const from of extracted) await copyRuntime(from, root);
  await writeFiles(root, nginxFiles);
  // Merged /usr, as the packages' own paths are in newer releases.
  await symlink("usr/lib", join(root, "lib"));
  if (await exists(join(root, "usr/lib64"))) await symlink("usr/lib64", join(root, "lib64"));
  await symlink("/dev/stdout", join(root, "var/log/nginx/access.log"));
  await symlink("/dev/stderr", join(root, "var/log/nginx/error.log"));
  return root;
}

/** From an extracted package: programs' and libraries' files, without locales, converters and manuals. */
async function copyRuntime(from: string, root: string): Promise<void> {
  for (const lib of ["lib", "lib64"]) {
    for (const top of [lib, `usr/${lib}`]) await copyLibraries(join(from, top), join(root, "usr", lib));
  }
  const files = [
    "usr/sbin/nginx",
    "usr/share/nginx/html/index.html",
    "etc/nginx/mime.types",
    "etc/nginx/fastcgi_params",
  ];
  for (const name of [...files, "etc/nginx/uwsgi_params", "etc/nginx/scgi_params"]) {
    if (await exists(join(from, name)))
      await cp(join(from, name), join(root, name), { verbatimSymlinks: true });
  }
  const documents = join(from, "usr/share/doc");
  for (const name of await entriesOf(documents)) {
    if (!(await exists(join(documents, name, "copyright")))) continue;
    await cp(join(documents, name, "copyright"), join(root, "usr/share/doc", name, "copyright"));
  }
}

/** Shared objects at the top and one directory (the architecture's) below it. */
async function copyLibraries(from: string, to: string): Promise<void> {
  const isShared = (name: string) => /\.so(?:\.|$)/.test(name);
  for (const name of await entriesOf(from)) {
    const nested = (await entriesOf(join(from, name))).filter(isShared).map((file) => `${name}/${file}`);
    for (const file of isShared(name) ? [name] : nested) {
      await cp(join(from, file), join(to, file), { verbatimSymlinks: true });
    }
  }
}

async function makeDirectories(root: string, names: readonly string[]): Promise<void> {
  for (const name of names) await mkdir(join(root, name), { recursive: true });
}

async function writeFiles(root: string, files: Record<string, string>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), text);
  }
}

async function entriesOf(dir: string): Promise<string[]> {
  const found = await stat(dir).catch(() => undefined);
  return found?.isDirectory() ? (await readdir(dir)).sort() : [];
}

async function exists(name: string): Promise<boolean> {
  return (await stat(name).catch(() => undefined)) !== undefined;
}
