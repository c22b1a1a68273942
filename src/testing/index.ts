export { type DemoImagesOptions, provideDemoImages } from "./demo-images.ts";
export * from "./registry/index.ts";
