// Run by ./browser: node browser.mjs CHROMIUM SITE ADMIN TOKEN FOLDER

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [executablePath, site, admin, token, folder] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PHONE = { width: 360, height: 740 };
const DESK = { width: 1200, height: 900 };

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

// The faults that axe-core calls serious or critical.
async function accessible(page, what) {
  // Not as an element of the page, whose policy lets no script in.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const serious = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  const faults = serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  assert.deepEqual(faults, [], `accessibility of ${what}`);
  console.log(`${what}: axe-core finds nothing serious`);
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
      await page.screenshot({ path: `${folder}/landing-${colorScheme}-${name}.png` });
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
      await close();
    }
  }
  await keyboard();
  await rollback();
}

// The total of a route in the table.
async function total(page, route) {
  const row = page.locator("#routes tbody tr", { hasText: route });
  return (await row.count()) === 0 ? 0 : Number(await row.locator("td").nth(2).textContent());
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

async function keyboard() {
  const { page, close } = await open(`${admin}/`, { viewport: DESK });
  await page.locator("#history li").first().waitFor();
  const reached = [];
  for (let press = 0; press < 20; press += 1) {
    await page.keyboard.press("Tab");
    reached.push(await page.evaluate(() => document.activeElement.id || document.activeElement.textContent.trim()));
  }
  for (const wanted of ["Skip to the figures", "token", "promote", "abort", "reload", "Publish other settings"]) {
    assert.ok(reached.includes(wanted), `${wanted} is not reached by Tab: ${reached}`);
  }
  console.log("dashboard: everything is reached by the keyboard");
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
