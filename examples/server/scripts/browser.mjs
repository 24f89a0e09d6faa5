// Run by ./browser: node browser.mjs CHROMIUM SITE ADMIN TOKEN FOLDER

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [executablePath, site, admin, token, folder] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PHONE = { width: 360, height: 740 };
const DESK = { width: 1200, height: 900 };
// What axe-core's rules for WCAG 2.2 AA and for good practice are, and those it still tries; what it finds is a fault at any level.
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice", "experimental"];

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
try {
  await landingPage();
  await dashboard();
} finally {
  await browser.close();
}

// A page whose console is watched; `close` fails if there was an error in it.
async function open(url, options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const errors = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("requestfailed", (request) => {
    // Events go on for ever, and end with the page.
    if (!request.url().endsWith("/figures")) errors.push(`${request.url()} failed`);
  });
  await page.goto(url, { waitUntil: "load" });
  const close = async () => {
    await context.close();
    assert.deepEqual(errors, [], `the console of ${url}`);
  };
  return { page, close };
}

async function accessible(page, what) {
  // Not as an element of the page, whose policy lets no script in.
  await page.evaluate(axe);
  const { violations } = await page.evaluate((values) => globalThis.axe.run({ runOnly: { type: "tag", values } }), RULES);
  const faults = violations.map(({ id, impact, nodes }) => `${id} (${impact}): ${nodes.map(({ html }) => html).join(" ")}`);
  assert.deepEqual(faults, [], `accessibility of ${what}`);
  const headless = await page.locator("tbody tr").evaluateAll(
    (rows) => rows.filter((row) => row.cells[0].tagName !== "TH" || row.cells[0].scope !== "row").map((row) => row.textContent),
  );
  assert.deepEqual(headless, [], `rows of ${what} that no cell heads`);
  console.log(`${what}: axe-core finds nothing`);
}

async function fits(page, what) {
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(content <= window, `${what} is ${content} pixels wide in a window of ${window}`);
}

async function landingPage() {
  for (const colorScheme of ["light", "dark"]) {
    for (const [name, viewport] of [["desk", DESK], ["phone", PHONE]]) {
      const what = `landing page, ${colorScheme}, ${name}`;
      const { page, close } = await open(`${site}/`, { colorScheme, viewport });
      await page.screenshot({ path: `${folder}/landing-${colorScheme}-${name}.png`, fullPage: true });
      await fits(page, what);
      await accessible(page, what);
      await close();
    }
  }
}

async function dashboard() {
  for (const colorScheme of ["light", "dark"]) {
    for (const [name, viewport] of [["desk", DESK], ["phone", PHONE]]) {
      const what = `dashboard, ${colorScheme}, ${name}`;
      const { page, close } = await open(`${admin}/`, { colorScheme, viewport });
      await page.locator("#state", { hasText: "live" }).waitFor();
      await page.locator("#cards dd").first().waitFor();
      if (colorScheme === "light" && name === "desk") await figuresMove(page);
      await page.screenshot({ path: `${folder}/dashboard-${colorScheme}-${name}.png`, fullPage: true });
      await fits(page, what);
      await accessible(page, what);
      await heatMapIsLabelled(page, what);
      await close();
    }
  }
  await rollback();
  await keyboard();
}

// The total of a route in the table.
async function total(page, route) {
  const row = page.locator("#routes tbody tr", { hasText: route });
  return (await row.count()) === 0 ? 0 : Number(await row.locator("td").nth(1).textContent());
}

async function figuresMove(page) {
  const before = await total(page, "/hello");
  for (let request = 0; request < 30; request += 1) await (await fetch(`${site}/hello`)).text();
  await page.waitForFunction(
    (wanted) => [...document.querySelectorAll("#routes tbody tr")]
      .some((row) => row.cells[0].textContent === "/hello" && Number(row.cells[2].textContent) >= wanted),
    before + 30,
  );
  const label = await page.locator("#heat").getAttribute("aria-label");
  assert.match(label, /requests in the last second/);
  console.log("dashboard: the figures move");
}

// What its lines mean stands beside them, inside of the page.
async function heatMapIsLabelled(page, what) {
  assert.deepEqual(await page.locator("#durations span").allTextContents(), ["64 µs", "1.0 ms", "16.4 ms", "262.1 ms", "4.19 s"]);
  assert.deepEqual(await page.locator(".times span").allTextContents(), ["3 min ago", "2 min", "1 min", "now"]);
  const map = await page.locator("#heat").boundingBox();
  const labels = await page.locator("#durations span").all();
  for (const [index, label] of labels.entries()) {
    const { x, y, width, height } = await label.boundingBox();
    // Every fourth of 22 rows, from below; the first label is at the third.
    const line = map.y + map.height * (1 - (3 + 4 * index) / 22);
    assert.ok(Math.abs(y + height / 2 - line) < 2, `${what}: label ${index} is at ${y + height / 2}, its line at ${line}`);
    assert.ok(x >= 0 && x + width <= map.x, `${what}: label ${index} is from ${x} to ${x + width}, the map begins at ${map.x}`);
  }
}

// Presses Tab until the focus is where `wanted` says, and returns what it was on before.
async function tabTo(page, wanted) {
  const reached = [];
  while (reached.length < 60) {
    await page.keyboard.press("Tab");
    const name = await page.evaluate(() => {
      const element = document.activeElement;
      return element.id || element.getAttribute("aria-label") || element.textContent.trim();
    });
    if (name.startsWith(wanted)) return reached;
    reached.push(name);
  }
  assert.fail(`${wanted} is not reached by Tab: ${reached}`);
}

// Without a mouse, from the top of the page: the token, and a rollback, after which the focus has not gone back to the top.
async function keyboard() {
  const { page, close } = await open(`${admin}/`, { viewport: DESK });
  await page.locator("#history li").nth(1).waitFor();
  await tabTo(page, "Skip to the figures");
  await tabTo(page, "token");
  await page.keyboard.type(token);
  for (const next of ["promote", "abort", "reload"]) assert.deepEqual(await tabTo(page, next), []);
  for (const expected of [false, true]) {
    await tabTo(page, "Roll back to");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.activeElement.id === "history");
    assert.equal(await hasHeader(), expected, "the rollback by keyboard");
  }
  await tabTo(page, "Publish other settings");
  await page.keyboard.press("Enter");
  await tabTo(page, "content");
  console.log("dashboard: everything is reached by the keyboard, and rolled back by it");
  await close();
}

async function hasHeader() {
  return (await fetch(`${site}/hello`)).headers.has("x-frame-options");
}

async function rollback() {
  const { page, close } = await open(`${admin}/`, { viewport: DESK });
  await page.locator("#history li").first().waitFor();
  assert.ok(await hasHeader());
  await page.fill("#token", token);
  await page.click("summary");
  await page.click("#fetch");
  await page.waitForFunction(() => document.querySelector("#content").value !== "");
  const text = await page.inputValue("#content");
  assert.match(text, /security-headers = "on"/);
  await page.fill("#content", text.replace('security-headers = "on"', 'security-headers = "off"'));
  await page.fill("#note", "without headers");
  await page.click("#publish button[type=submit]");
  await page.locator("#history li", { hasText: "without headers" }).waitFor();
  assert.ok(!(await hasHeader()), "what was published is not in force");
  const earlier = page.locator("#history li").filter({ hasNotText: "current" });
  await earlier.getByRole("button", { name: "Difference" }).click();
  await page.locator("#output", { hasText: 'security-headers = "off"' }).waitFor();
  await page.screenshot({ path: `${folder}/dashboard-difference.png`, fullPage: true });
  await earlier.getByRole("button", { name: "Roll back" }).click();
  await page.locator("#history li", { hasText: "without headers" }).getByRole("button", { name: "Roll back" }).waitFor();
  assert.ok(await hasHeader(), "the rollback is not in force");
  console.log("dashboard: published, compared and rolled back by clicking");
  await close();
}
