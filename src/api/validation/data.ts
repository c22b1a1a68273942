/** What a ConfigMap or Secret may hold, keys not counted: 1 MiB. */
export const dataBytesMax = 1024 * 1024;

/** How many bytes a (canonical) base64 text stands for. */
export function base64BytesOf(text: string): number {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  return (text.length / 4) * 3 - padding;
}
