export { type BuiltImage, buildDemoImages } from "./build.ts";
