import { defaultPodTemplate } from "../../apps/v1/replicated.ts";
import { column, nameColumn, none } from "../../columns.ts";
import type { corev1 } from "../../index.ts";
import type { Kind } from "../../kind.ts";
import type { FieldErrors } from "../../validation/values.ts";
import { validatePodTemplate } from "./pod/validation/pod.ts";
import { templateWarnings } from "./pod/warnings.ts";

type PodTemplate = corev1.PodTemplate;

const containersOf = ({ template }: PodTemplate) => template?.spec?.containers ?? [];

/** A template of pods that stands by itself; nothing makes pods of it. Counterpart upstream: `pkg/registry/core/podtemplate`. */
export const podTemplate: Kind<PodTemplate> = {
  group: "",
  version: "v1",
  kind: "PodTemplate",
  resource: "podtemplates",
  singular: "podtemplate",
  shortNames: [],
  categories: [],
  scope: "Namespaced",
  schema: "core/v1.PodTemplate",
  hasStatus: false,
  columns: [
    nameColumn,
    column<PodTemplate>("Containers", "string", "Names of the template's containers.", (object) =>
      containersOf(object)
        .map(({ name }) => name)
        .join(","),
    ),
    column<PodTemplate>("Images", "string", "Images of the template's containers.", (object) =>
      containersOf(object)
        .map(({ image = "" }) => image)
        .join(","),
    ),
    column<PodTemplate>("Pod Labels", "string", "The labels of its pods.", ({ template }) => {
      const labels = Object.entries(template?.metadata?.labels ?? {}).map(
        ([key, value]) => `${key}=${value}`,
      );
      return labels.sort().join(",") || none;
    }),
  ] as Kind<PodTemplate>["columns"],
  strategy: {
    tracksGeneration: true,
    applyDefaults(object) {
      object.template ??= { spec: { containers: [] } };
      defaultPodTemplate(object.template);
    },
    validate({ template }) {
      const errors: FieldErrors = [];
      validatePodTemplate(errors, template!, "template");
      return errors;
    },
    warnings: ({ template }, old) => (old ? [] : templateWarnings(undefined, template!, "template")),
  },
};
