import { type FieldError, fieldForbidden } from "../../../../machinery/index.ts";
import type { corev1 } from "../../../index.ts";
import { type PodFeature, podFeatures } from "./support.ts";
import { eachContainer } from "./validation/context.ts";

type Unsupported = Exclude<PodFeature, { support: "works" }>;
const unsupported = podFeatures.filter((feature): feature is Unsupported => feature.support !== "works");
const ofSpec = unsupported.filter((feature) => feature.of === "spec");
const ofVolumes = unsupported.filter((feature) => feature.of === "volume");
const ofContainers = unsupported.filter((feature) => feature.of === "container");

/** What of a spec cannot be honoured: errors for what is refused, texts for what is not done. */
export function unsupportedInPod(
  podSpec: corev1.PodSpec,
  path: string,
): { errors: FieldError[]; warnings: string[] } {
  const errors: FieldError[] = [];
  const warnings: string[] = [];
  const found = ({ support, text, at }: Unsupported, below: string) => {
    if (support === "rejected") errors.push(fieldForbidden(`${below}.${at}`, text));
    else warnings.push(`${below}.${at}: ${text}`);
  };
  for (const feature of ofSpec) if (feature.isUsed(podSpec)) found(feature, path);
  podSpec.volumes?.forEach((each, i) => {
    for (const feature of ofVolumes) if (feature.isUsed(each)) found(feature, `${path}.volumes[${i}]`);
  });
  eachContainer(podSpec, path, (each, at) => {
    for (const feature of ofContainers) if (feature.isUsed(each)) found(feature, at);
  });
  return { errors, warnings };
}
