// The packages of package-lock.json, installed beside the build by testing/steps/browser.

import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");

export const target = path.resolve(repository, process.env.CARGO_TARGET_DIR ?? "target");
export const program = process.env.ASTRANETMON_TEST_BINARY ?? path.join(target, "debug/astranetmon");
export const screenshots = path.join(target, "screenshots");

const require = createRequire(path.join(target, "browser/package.json"));
export const { chromium } = require("playwright-core");
export const axeSource = require("axe-core").source;
