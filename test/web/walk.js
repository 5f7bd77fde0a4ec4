// The operator in front of the page. Lines of JSON on standard output are wishes to the test; it answers each "dial" and "ended"
// with a line.
"use strict";

const path = require("node:path");
const readline = require("node:readline");
const { chromium } = require(process.env.PLAYWRIGHT);
const axe = path.join(process.env.AXE, "axe.min.js");
const { PAGE, OPERATOR, PASSWORD, TOKEN, ALICE, BOB, USER_PASSWORD, SHOTS } = process.env;

const answers = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const tell = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const fault = (text) => tell({ do: "fault", text });
const step = (text) => tell({ do: "step", text });
async function wish(line) { tell(line); await answers.next(); }

const sizes = { light: [1280, 900, "light"], dark: [1280, 900, "dark"], phone: [390, 844, "light"] };

let wanted = 0; // a status that is not to be reported, since it was asked for

// visitor makes a browser window that reports every error, and every request that leaves the host.
async function visitor(browser, size, state) {
  const [width, height, colorScheme] = sizes[size];
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width, height }, colorScheme, storageState: state, reducedMotion: "reduce" });
  context.setDefaultTimeout(20000);
  const page = await context.newPage();
  page.on("console", (m) => { if (m.type() === "error" && !wanted) fault(`the console says: ${m.text()} at ${page.url()}`); });
  page.on("pageerror", (e) => fault(`a script of the page fails: ${e.message} at ${page.url()}`));
  page.on("request", (r) => { if (!r.url().startsWith(PAGE + "/")) fault(`the page asks another host: ${r.url()}`); });
  page.on("response", (r) => { if (r.status() >= 400 && r.status() !== wanted) fault(`${r.url()} is answered with ${r.status()}`); });
  return page;
}

// inspect looks for faults that keep people with a screen reader or a keyboard out. The library goes in as a file of the debugger, not
// of the page, whose policy would not let it.
async function inspect(page, name, rules) {
  await page.evaluate(require("node:fs").readFileSync(axe, "utf8") + "\n;0");
  const found = await page.evaluate((rules) => window.axe.run(document, { resultTypes: ["violations"], ...(rules && { runOnly: rules }) }), rules);
  for (const v of found.violations) {
    if (v.impact === "serious" || v.impact === "critical") fault(`${name}: ${v.id} (${v.impact}): ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.html + " " + (n.failureSummary || "")).join(" | ")}`);
  }
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (wide > 0) fault(`${name} is ${wide} pixels wider than the window`);
}

const shot = async (page, name) => SHOTS && page.screenshot({ path: path.join(SHOTS, name + ".png"), fullPage: true });

async function logIn(page) {
  await page.goto(PAGE + "/");
  await page.getByLabel("Operator").fill(OPERATOR);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("heading", { name: "Overview" }).waitFor();
}

async function entrance(page) {
  await page.goto(PAGE + "/ui/sessions");
  await inspect(page, "log in");
  await shot(page, "login-" + page.viewportSize().width);
  wanted = 401;
  await page.getByLabel("Operator").fill(OPERATOR);
  await page.getByLabel("Password").fill("not this one");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("alert").waitFor();
  await inspect(page, "log in refused");
  await shot(page, "login-refused");
  wanted = 0;
}

// keyboard walks from the top of the page over the main navigation, and opens a view with Enter.
async function keyboard(page) {
  await page.goto(PAGE + "/ui/");
  const seen = [];
  for (let i = 0; i < 9; i++) {
    await page.keyboard.press("Tab");
    seen.push(await page.evaluate(() => document.activeElement.textContent.trim()));
  }
  const want = ["To the content", "Overview", "Sessions", "Logins", "Addresses", "Domains", "Users", "Changes", "Log out"];
  if (seen.join() !== want.join()) fault(`the keyboard walks over ${seen.join(", ")}, and not ${want.join(", ")}`);
  for (let i = 0; i < 4; i++) await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Enter");
  await page.waitForURL(PAGE + "/ui/pools");
  await page.goto(PAGE + "/ui/pool?name=sales");
  await page.locator("[data-cells] a").first().focus();
  for (const key of ["ArrowDown", "ArrowRight", "ArrowRight"]) await page.keyboard.press(key);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: /^10\.10\.1\.\d+ / }).waitFor();
}

// live sees somebody come without loading the page again.
async function live(page) {
  await page.goto(PAGE + "/ui/logins");
  await page.locator("#pulse.on").waitFor();
  await page.evaluate(() => { window.stayed = true; });
  await wish({ do: "dial", user: ALICE, password: USER_PASSWORD });
  await page.locator("tr", { hasText: ALICE }).filter({ hasText: "Online" }).first().waitFor();
  await wish({ do: "dial", user: BOB, password: "wrong" });
  const row = page.locator("tr", { hasText: BOB }).filter({ hasText: "Failed" }).first();
  await row.waitFor();
  if (!await page.evaluate(() => window.stayed)) fault("the list of logins was loaded again");
  await row.getByRole("link").first().click();
  await page.getByRole("heading", { name: /password/i }).first().waitFor();
  for (const text of ["What to do", "Who can help"]) await page.getByText(text, { exact: true }).waitFor();
  if (await page.locator(".ladder .rung").count() < 8) fault("the ladder of a failed login has no rungs");
}

// trial asks what would become of a login.
async function trial(page) {
  await page.goto(PAGE + "/ui/test");
  for (const [password, words] of [["wrong", "It would fail"], [USER_PASSWORD, "It would work"]]) {
    await page.getByLabel(/^User/).fill(BOB);
    await page.getByLabel(/^Password/).fill(password);
    await page.getByRole("button", { name: "Test", exact: true }).click();
    await page.getByRole("heading", { name: words }).waitFor();
    await inspect(page, words);
    await shot(page, "test-" + words.replaceAll(" ", "-"));
  }
}

async function kick(page) {
  await page.goto(PAGE + "/ui/sessions?q=" + encodeURIComponent(ALICE));
  await page.locator("tbody").getByRole("link").first().click();
  await page.getByLabel(/^Reason/).fill("maintenance of the line");
  await page.getByRole("button", { name: /^End session/ }).click();
  await page.getByText("was ended").waitFor();
  await wish({ do: "ended", user: ALICE });
  await page.goto(PAGE + "/ui/changes");
  await page.getByText("maintenance of the line").first().waitFor();
}

async function users(page) {
  const carol = "carol@sales.example";
  await page.goto(PAGE + "/ui/users");
  await page.getByText("Add a user").click();
  await page.getByLabel(/^Name, exactly/).fill(carol);
  await page.locator("#add").getByLabel("Password").fill(USER_PASSWORD);
  await page.getByRole("button", { name: "Add the user" }).click();
  await page.getByRole("heading", { name: carol }).waitFor();
  await page.getByRole("button", { name: "Block" }).click();
  await page.getByText("is blocked").waitFor();
  await page.getByRole("button", { name: "Unblock" }).click();
  await page.getByText("may log in again").waitFor();
  await wish({ do: "dial", user: carol, password: USER_PASSWORD });
  await page.locator("#live-logins").getByText("Online").waitFor();
  await page.goto(PAGE + "/ui/import");
  const rows = Array.from({ length: 600 }, (_, i) => `import${i}@sales.example,${USER_PASSWORD}${i}`);
  await page.getByLabel("File").setInputFiles({ name: "people.csv", mimeType: "text/csv", buffer: Buffer.from("name,password\n" + rows.join("\n") + "\n") });
  await page.getByRole("button", { name: "Import" }).click();
  await page.getByText("600 added").waitFor();
  await shot(page, "import-done");
  await page.goto(PAGE + "/ui/users?match=import599");
  await page.getByRole("link", { name: "import599@sales.example" }).waitFor();
}

// everything opens every view in every form.
async function everything(browser, state) {
  for (const size of Object.keys(sizes)) {
    const page = await visitor(browser, size, state);
    const times = []; // to open and to inspect
    await page.goto(PAGE + "/ui/logins?failed=true");
    const failed = await page.locator("tbody a").first().getAttribute("href");
    await page.goto(PAGE + "/ui/sessions");
    const session = await page.locator("tbody a").first().getAttribute("href");
    const views = { overview: "/ui/", sessions: "/ui/sessions", session, logins: "/ui/logins", login: failed, causes: "/ui/causes", pools: "/ui/pools", pool: "/ui/pool?name=sales&address=10.10.1.1",
      "pool-large": "/ui/pool?name=lab&address=10.64.7.9", domains: "/ui/domains", test: "/ui/test", users: "/ui/users", user: "/ui/user?name=" + encodeURIComponent(ALICE), import: "/ui/import", changes: "/ui/changes" };
    if (size !== "light") delete views.causes; // long, and made of what other views have
    for (const [name, view] of Object.entries(views)) {
      const began = Date.now();
      await page.goto(PAGE + view);
      const opened = Date.now();
      await inspect(page, `${name} (${size})`, size === "dark" ? ["color-contrast"] : undefined); // all else is the same in the dark
      await shot(page, `${name}-${size}`);
      times.push(`${name} ${opened - began} + ${Date.now() - opened} ms`);
    }
    await page.context().close();
    step(`  ${size}: ${times.join(", ")}`);
  }
}

// viewer may only look.
async function viewer(browser) {
  const page = await visitor(browser, "light");
  await page.goto(PAGE + "/ui/users");
  await page.getByText("Use a token instead").click();
  await page.getByLabel("Token").fill(TOKEN);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("heading", { name: "Users" }).waitFor();
  if (await page.getByText("Add a user").count()) fault("who may only look can add a user");
  await page.goto(PAGE + "/ui/sessions");
  await page.locator("tbody").getByRole("link").first().click();
  await page.getByRole("heading", { level: 1 }).waitFor();
  if (await page.getByRole("button", { name: /End session/ }).count()) fault("who may only look can end a session");
  await page.context().close();
}

// guess tries passwords until the server has it wait.
async function guess(browser) {
  const page = await visitor(browser, "light");
  wanted = 401;
  page.removeAllListeners("response");
  for (let i = 0; i < 12; i++) {
    await page.goto(PAGE + "/ui/login");
    await page.getByLabel("Operator").fill(OPERATOR);
    await page.getByLabel("Password").fill("guess " + i);
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByRole("alert").waitFor();
  }
  await page.getByText(/too many/i).waitFor();
  wanted = 0;
  await page.context().close();
}

(async () => {
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"] });
  const window = await visitor(browser, "light");
  const steps = { entrance: () => entrance(window), "log in": () => logIn(window), live: () => live(window), keyboard: () => keyboard(window),
    "every view": async () => everything(browser, await window.context().storageState()), trial: () => trial(window), kick: () => kick(window), users: () => users(window), viewer: () => viewer(browser), guess: () => guess(browser) };
  for (const [name, walk] of Object.entries(steps)) {
    const began = Date.now();
    try {
      await walk();
    } catch (e) {
      fault(`${name}: ${e.message} at ${window.url()}`);
      await shot(window, "fault-" + name.replace(" ", "-"));
    }
    step(`${name}: ${Date.now() - began} ms`);
  }
  await browser.close();
  tell({ do: "done" });
  process.exit(0);
})();
