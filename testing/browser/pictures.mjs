// Pictures of a page on its way through a subject, and what is wrong with it there.

import path from "node:path";
import { seriousViolations } from "./accessibility.mjs";
import { screenshots } from "./packages.mjs";
import { overflow, settled } from "./visitor.mjs";

const SIZES = [
    { width: 1440, height: 900 },
    { width: 390, height: 844 },
];

/** Pictures of the page as it is, in both themes and widths; what is wrong with it there. */
export async function looked(page, name, { fullPage = true } = {}) {
    const found = [];
    for (const theme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme: theme });
        for (const size of SIZES) {
            await page.setViewportSize(size);
            await settled(page);
            await page.screenshot({ path: path.join(screenshots, `${name}-${theme}-${size.width}.png`), fullPage });
            const faulty = [...(await overflow(page)), ...(await seriousViolations(page))];
            found.push(...faulty.map((each) => `${name}, ${theme}, ${size.width}: ${each}`));
        }
    }
    await page.setViewportSize(SIZES[0]);
    return found;
}
