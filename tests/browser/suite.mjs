// What the browser does with the pages. It is told of the runs on standard input
// (browser_test.go), prints a line of JSON for each check, and at the end how many there
// were. node suite.mjs FOLDER, where FOLDER/node_modules has playwright-core and axe-core.
import { createRequire } from "node:module";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

const need = createRequire(path.join(process.argv[2], "x.js"));
const { chromium } = need("playwright-core");
const axe = readFileSync(need.resolve("axe-core/axe.min.js"), "utf8");
const world = JSON.parse(readFileSync(0, "utf8"));

let checks = 0;
const say = (check, error, note) => {
	checks++;
	console.log(JSON.stringify({ check, error: error ?? "", note: note ?? "" }));
};
// check does something that throws when it is not as it should be.
const check = async (name, what) => {
	try {
		say(name, "", await what());
	} catch (e) {
		say(name, String(e?.message ?? e).slice(0, 4000));
	}
};
// several does something with each of a list, three at a time.
const several = async (list, what) => {
	const left = [...list];
	await Promise.all([1, 2, 3].map(async () => { while (left.length) await what(left.shift()); }));
};
const must = (is, why) => { if (!is) throw new Error(why); };
const until = async (what, why, limit = 20000) => {
	const end = Date.now() + limit;
	for (;;) {
		const v = await what();
		if (v) return v;
		if (Date.now() > end) throw new Error(`not within ${limit / 1000} s: ${why}`);
		await new Promise((done) => setTimeout(done, 100));
	}
};

const browser = await chromium.launch({ // with a fresh profile
	executablePath: "/usr/bin/chromium", headless: true,
	args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const desktop = { width: 1280, height: 900 }, phone = { width: 375, height: 760 };

// watched is a page that remembers what went wrong and what it asked for.
const watched = async (context) => {
	const page = await context.newPage();
	page.wrong = [];
	page.asked = [];
	page.on("console", (m) => { if (["error", "warning"].includes(m.type())) page.wrong.push(`console: ${m.text()} (${m.location().url})`); });
	page.on("pageerror", (e) => page.wrong.push(`script: ${e.message}`));
	page.on("request", (r) => page.asked.push(r.url()));
	page.on("requestfailed", (r) => { if (!/stream/.test(r.url())) page.wrong.push(`failed: ${r.url()} ${r.failure()?.errorText}`); });
	page.on("dialog", (d) => { page.wrong.push(`dialog: ${d.message()}`); d.dismiss(); });
	return page;
};
const clean = (page) => {
	must(page.wrong.length === 0, page.wrong.join("\n"));
	const elsewhere = page.asked.filter((u) => ![new URL(world.still).origin, new URL(world.loop).origin].includes(new URL(u).origin));
	must(elsewhere.length === 0, `asked elsewhere: ${elsewhere.join(" ")}`);
};

// audit runs axe-core in a world of its own, where the policy of the page does not
// forbid it, and names what is serious.
const audit = async (page) => {
	const cdp = await page.context().newCDPSession(page);
	const { frameTree } = await cdp.send("Page.getFrameTree");
	const { executionContextId } = await cdp.send("Page.createIsolatedWorld", { frameId: frameTree.frame.id });
	await cdp.send("Runtime.evaluate", { expression: axe, contextId: executionContextId });
	const { result, exceptionDetails } = await cdp.send("Runtime.evaluate", {
		expression: `axe.run(document).then((r) => JSON.stringify({ passes: r.passes.length, found: r.violations.map((v) => v.impact + " " + v.id + ": " + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 200) + " " + n.failureSummary).join("; ")) }))`,
		contextId: executionContextId, awaitPromise: true, returnByValue: true,
	});
	await cdp.detach();
	must(!exceptionDetails, JSON.stringify(exceptionDetails));
	const { passes, found } = JSON.parse(result.value);
	must(passes > 10, `axe-core passed only ${passes} rules: it did not look`);
	const serious = found.filter((f) => /^(serious|critical)/.test(f));
	must(serious.length === 0, serious.join("\n"));
	return found;
};

const get = async (url, accept = "application/json") => {
	const answer = await fetch(url, { headers: { Accept: accept } });
	must(answer.ok, `${url}: ${answer.status}`);
	return answer.json();
};

// The pages. What has a name of its own in memory is found out first.
const call = await get(`${world.still}/api/v1/calls/${encodeURIComponent(world.callID)}`).catch(() => null);
const callPath = `/calls/${encodeURIComponent(world.callID)}`;
const registered = await get(`${world.still}/api/v1/regs`).then((p) => p.bindings[0]?.aor, () => null);
const pages = {
	overview: "/", events: "/events", "event-types": "/events/blst", calls: "/calls", call: call && callPath,
	registrations: "/regs", registration: registered && `/regs/${encodeURIComponent(registered)}`, rates: "/evrateblst", offenders: "/offenders", alerts: "/alerts",
	indicators: "/kpi", statistics: "/stats", counters: "/counters", messages: "/methods", configuration: "/config", health: "/health", inject: "/inject", api: "/api/v1/",
	"nothing-fits": "/calls?text=nothing-like-this",
};
for (const [size, viewport] of [["desktop", desktop], ["phone", phone]]) {
	for (const colorScheme of ["light", "dark"]) {
		const context = await browser.newContext({ viewport, colorScheme, isMobile: size === "phone", hasTouch: size === "phone", deviceScaleFactor: 1 });
		await several(Object.entries(pages), ([name, where]) => check(`pages/${name}/${size}/${colorScheme}`, async () => {
			must(where, "there is no such thing in memory");
			const page = await watched(context);
			try {
				const answer = await page.goto(world.still + where);
				must(answer.ok(), `status ${answer.status()}`);
				const bytes = (await answer.body()).length;
				must(bytes < 200000, `${bytes} bytes`);
				await page.waitForFunction(() => document.documentElement.classList.contains("scripted"));
				if (await page.locator(".plot").count()) await page.waitForSelector(".plot canvas");
				const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
				must(wide <= 0, `the page is ${wide} pixels wider than the window`);
				await page.screenshot({ path: path.join(world.shots, `${name}-${size}-${colorScheme}.png`) });
				const found = await audit(page);
				clean(page);
				return `${bytes} bytes${found.length ? `; axe-core, not serious: ${found.join("; ")}` : ""}`;
			} finally {
				await page.close();
			}
		}));
		await context.close();
	}
}

// Without a script
{
	const context = await browser.newContext({ viewport: desktop, javaScriptEnabled: false });
	const page = await context.newPage();
	for (const [name, where] of Object.entries(pages)) {
		await check(`without a script/${name}`, async () => {
			must(where, "there is no such thing in memory");
			await page.goto(world.still + where);
			must((await page.locator("h1").innerText()).length > 2, "no heading");
			must((await page.locator("main").innerText()).length > 40, "hardly any text");
			must(await page.locator("nav a[href='/calls']").count() === 1, "no navigation");
		});
	}
	await check("without a script/the numbers of a chart are a table", async () => {
		await page.goto(`${world.still}/`);
		await page.locator("summary").first().click();
		must(await page.locator("figure table tbody tr").first().isVisible(), "the table is not there");
	});
	await check("without a script/the menu opens on a phone", async () => {
		await page.setViewportSize(phone);
		await page.goto(`${world.still}/calls`);
		must(!(await page.locator("nav a[href='/regs']").isVisible()), "it is open");
		await page.click("text=Menu");
		await page.click("nav a[href='/regs']");
		must(new URL(page.url()).pathname === "/regs", page.url());
		await page.setViewportSize(desktop);
	});
	await check("without a script/the blacklist is saved by its form", async () => {
		await page.goto(`${world.still}/events/blst`);
		const box = page.locator("input[value='reg-del']");
		await box.check();
		await page.click("text=Save the switches");
		must(await page.locator("#saved").isVisible(), "nothing says that it was saved");
		must(await box.isChecked() && (await get(`${world.still}/api/v1/events/blst`)).types.find((t) => t.type === "reg-del").blacklisted, "it was not saved");
		await box.uncheck();
		await page.click("text=Save the switches");
		must(!(await get(`${world.still}/api/v1/events/blst`)).types.find((t) => t.type === "reg-del").blacklisted, "it was not taken back");
	});
	await check("without a script/the limits and the offenders are changed by their forms", async () => {
		await page.goto(`${world.still}/evrateblst`);
		await page.locator("input[name=limits]").first().fill("7");
		await page.click("text=Change the limits");
		must(await page.locator("#saved").isVisible(), "nothing says that it was saved");
		must((await get(`${world.still}/api/v1/evrateblst`)).limits[0] === 7, "the limit was not saved");
		await page.goto(`${world.still}/offenders`);
		await page.fill("input[name=source] >> nth=1", "198.51.100.0/24");
		await page.fill("input[name=reason]", `${world.marker}"><script>window.hacked=1</script>`);
		await page.click("text=Hold its events");
		must(await page.locator("th:has-text('198.51.100.0/24')").count() === 1, "the source is not in the list");
		must((await (await fetch(`${world.still}/offenders?format=plain`)).text()).includes("198.51.100.0/24\n"), "nor in the plain form");
		await page.click("[aria-label='Forgive 198.51.100.0/24']");
		must(await page.locator("th:has-text('198.51.100.0/24')").count() === 0, "it was not forgiven");
	});
	await context.close();
}

const context = await browser.newContext({ viewport: desktop, acceptDownloads: true });

// The ladder against the capture
await check("the ladder has the arrows of the capture", async () => {
	const page = await watched(context);
	await page.goto(`${world.still}/events`); // it is over, so that only its events lead there
	await page.fill("input[name=text]", world.callID);
	await page.click("button:has-text('Filter')");
	await page.click("tbody td:last-child a");
	await page.waitForSelector("svg[role=img]");
	const titles = await page.locator(".ladder g > title").allTextContents();
	const want = world.ladder.map((m, i) => `${i + 1}. ${m.from} → ${m.to}: ${m.line}`);
	must(JSON.stringify(titles) === JSON.stringify(want), `the ladder has\n${titles.join("\n")}\nthe capture has\n${want.join("\n")}`);
	// An arrow goes from the column of its sender to that of its receiver.
	const columns = await page.locator(".ladder .life").evaluateAll((all) => all.map((l) => l.getAttribute("x1")));
	const hosts = await page.locator(".ladder .host > title").allTextContents();
	const arrows = await page.locator(".ladder g > line").evaluateAll((all) => all.map((l) => [l.getAttribute("x1"), l.getAttribute("x2")]));
	arrows.forEach(([from, to], i) => {
		const have = [hosts[columns.indexOf(from)], hosts[columns.indexOf(to)]];
		must(have[0] === world.ladder[i].from && have[1] === world.ladder[i].to, `arrow ${i + 1} goes from ${have[0]} to ${have[1]}`);
	});
	await page.evaluate(() => scrollTo(0, 0));
	await page.screenshot({ path: path.join(world.shots, "ladder.png"), fullPage: true });
	await page.click("text=The same as a table");
	must(await page.locator("#messages tbody tr").count() === want.length, "the table has not as many");
	clean(page);
	await page.close();
	return `${want.length} messages between ${hosts.length} hosts`;
});
await check("the capture of the call is downloaded", async () => {
	const page = await watched(context);
	await page.goto(world.still + callPath);
	const [download] = await Promise.all([page.waitForEvent("download"), page.click("text=Download the capture")]);
	writeFileSync(world.saved, readFileSync(await download.path()));
	clean(page);
	await page.close();
});

// Events as they come
await check("events arrive by themselves", async () => {
	const page = await watched(context);
	await page.goto(`${world.loop}/events`);
	await until(() => page.locator("tr.fresh").count(), "a row that came by itself");
	must((await page.locator(".tools [role=status]").innerText()).startsWith("Live"), "it does not say that it is live");
	await page.click("button:has-text('Pause')");
	const first = await page.locator("#events tbody tr").first().innerText();
	await until(async () => /[1-9]\d* (and more )?came/.test(await page.locator(".tools [role=status]").innerText()), "a count of those that came while it paused");
	must(await page.locator("#events tbody tr").first().innerText() === first, "a row came while it paused");
	await page.click("button:has-text('Go on')");
	await until(async () => await page.locator("#events tbody tr").first().innerText() !== first, "the rows that waited");
	await page.screenshot({ path: path.join(world.shots, "events-live.png") });
	clean(page);
	await page.close();
});
await check("the overview stays fresh", async () => {
	const page = await watched(context);
	await page.goto(`${world.loop}/`);
	const made = () => page.locator(".card:has-text('Events made') .big").innerText();
	const was = await made();
	await until(async () => await made() !== was, "another figure", 25000);
	await page.screenshot({ path: path.join(world.shots, "overview-live.png") });
	clean(page);
	await page.close();
});

// The blacklist: switched in the page, seen in the events and in the counters.
await check("a switch stops a type and lets it go on", async () => {
	const page = await watched(context);
	await page.goto(`${world.loop}/events/blst`);
	const type = "call-start";
	const counts = async () => (await get(`${world.loop}/api/v1/events/blst`)).types.find((t) => t.type === type);
	await until(async () => (await counts()).sent > 0, `a ${type} that was sent`);
	await page.locator(`input[value=${type}]`).check();
	await until(async () => (await page.locator("#types-said").innerText()).includes("held back"), "the page says so");
	const before = await counts();
	must(before.blacklisted, "the API does not say so");
	const after = await until(async () => { const c = await counts(); return c.blacklisted_events >= before.blacklisted_events + 3 && c; }, "three events that were held");
	must(after.sent === before.sent, `${after.sent - before.sent} were sent all the same`);
	must(after.made === after.sent + after.blacklisted_events + after.held_by_rate + after.held_by_source, `made ${after.made} is not the sum of the others`);
	const { events } = (await get(`${world.loop}/api/v1/stats`)).stats;
	must(events.events_sent[type] === after.sent && events.events_blacklisted[type] >= after.blacklisted_events, `the statistics say ${events.events_sent[type]} sent, ${events.events_blacklisted[type]} held`);
	await page.goto(`${world.loop}/stats?text=events`);
	must((await page.locator("main").innerText()).includes(`events blacklisted: ${type}`), "the page of statistics does not have them");
	await page.goto(`${world.loop}/events?type=${type}`);
	must((await page.locator("#events tbody tr").first().innerText()).includes("type off"), "the list does not show it as held");
	await page.goto(`${world.loop}/events/blst`);
	await page.locator(`input[value=${type}]`).uncheck();
	await until(async () => (await page.locator("#types-said").innerText()).includes("sent again"), "the page says so");
	const held = await counts();
	await until(async () => (await counts()).sent >= held.sent + 2, "events that are sent again");
	clean(page);
	await page.close();
	return `${after.blacklisted_events} held, none sent meanwhile`;
});

// Hostile values
await check("hostile values are shown and do nothing", async () => {
	const page = await watched(context);
	let seen = 0, read = "";
	const look = async (where) => {
		await page.goto(world.still + where);
		await page.waitForFunction(() => document.documentElement.classList.contains("scripted"));
		must(await page.evaluate(() => window.hacked === undefined), `${where}: a script of somebody else's ran`);
		must(await page.locator("main img, main script, main iframe, [onerror], [onload], [onmouseover]").count() === 0, `${where}: an element of somebody else's`);
		const text = await page.locator("main").evaluate((m) => m.textContent);
		must(!/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/.test(text), `${where}: something that nobody can see`);
		read += text;
		seen += text.split(world.marker).length - 1;
	};
	await look(`/calls?text=${world.marker}`);
	must(await page.locator("tbody tr").count() >= 6, "hardly a call is there");
	const links = await page.locator("tbody th a").evaluateAll((all) => all.map((a) => a.getAttribute("href")));
	for (const link of links) await look(link);
	await look(`/regs?text=${world.marker}`);
	const aors = await page.locator("tbody th a").evaluateAll((all) => all.map((a) => a.getAttribute("href")));
	must(aors.length >= 4, `only ${aors.length} registrations`);
	for (const link of aors) await look(link);
	await look(`/events?text=${world.marker}`);
	await look(`/calls?text=${encodeURIComponent(`"><script>window.hacked=1</script>`)}`);
	await look(`/counters?text=${encodeURIComponent(`'"><img src=x onerror=window.hacked=1>`)}`);
	await page.goto(`${world.still}/calls?text=${world.marker}`);
	await page.screenshot({ path: path.join(world.shots, "hostile.png") });
	await page.hover("tbody tr:nth-child(3) th");
	must(await page.evaluate(() => window.hacked === undefined), "a script of somebody else's ran");
	for (const shown of ["<script>window.hacked=1</script>", "\\x1b]0;owned\\x07", "\\u202egnp.exe", "\ufffd", "onerror=window.hacked=1"]) must(read.includes(shown), `${shown} is nowhere to be read`);
	must(seen > 50, `only ${seen} hostile values were seen`);
	clean(page);
	await page.close();
	return `${seen} values on ${4 + links.length + aors.length} pages`;
});

// By keyboard alone
await check("by keyboard: skip link, table, sorting", async () => {
	const page = await watched(context);
	await page.goto(`${world.still}/calls`);
	await page.keyboard.press("Tab");
	must(await page.evaluate(() => document.activeElement.matches(".skip")), "the first stop is not the skip link");
	const box = await page.locator(".skip").boundingBox();
	must(box && box.y >= 0, "the skip link is not seen when it has the focus");
	await page.keyboard.press("Enter");
	must(await page.evaluate(() => document.activeElement.id === "main"), "it does not lead to the content");
	const stop = async (what) => {
		for (let i = 0; i < 40; i++) {
			await page.keyboard.press("Tab");
			if (await page.evaluate((w) => document.activeElement.matches(w), what)) return;
		}
		throw new Error(`${what} is not reached`);
	};
	await stop(".scroll");
	await stop("th button.by");
	const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
	must(outline !== "none", "the focus is not seen");
	const column = () => page.locator("tbody tr td:first-child time").evaluateAll((all) => all.map((t) => t.dateTime));
	await page.keyboard.press("Enter");
	must(await page.locator("th[aria-sort]").first().getAttribute("aria-sort") === "ascending", "aria-sort does not say so");
	const up = await column();
	must(up.length > 5 && JSON.stringify(up) === JSON.stringify([...up].sort()), "it is not sorted");
	await page.keyboard.press("Space");
	const down = await column();
	must(JSON.stringify(down) === JSON.stringify([...down].sort().reverse()), "it is not sorted the other way");
	clean(page);
	await page.close();
});

await browser.close();
console.log(`${checks} checks`);
