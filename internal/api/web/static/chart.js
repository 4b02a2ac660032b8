// Charts, by uPlot. The numbers are those of the table below each chart, so that nobody
// has to take a picture's word for it.
"use strict";
(() => {
	const { $$, make, clock } = window.sipcmbeat;
	const ns = "http://www.w3.org/2000/svg";
	const dashes = [[], [8, 4], [2, 3], [10, 3, 2, 3], [], [6, 3], [3, 3], [12, 4]];
	const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

	const read = (table) => {
		const names = [...table.tHead.rows[0].cells].slice(1).map((c) => c.textContent.trim());
		const rows = [...table.tBodies[0].rows];
		const data = [rows.map((r) => Date.parse(r.cells[0].querySelector("time").dateTime) / 1000)];
		names.forEach((_, i) => data.push(rows.map((r) => Number(r.cells[i + 1].textContent))));
		return { names, data };
	};

	const key = (figure, names, data, toggle) => {
		const list = make("ul", { className: "key" });
		names.forEach((name, i) => {
			const svg = document.createElementNS(ns, "svg");
			svg.setAttribute("viewBox", "0 0 26 10");
			svg.setAttribute("class", `s${i % 8 + 1}`);
			svg.setAttribute("aria-hidden", "true");
			const line = document.createElementNS(ns, "path");
			line.setAttribute("d", "M1 5h24");
			if (dashes[i % 8].length) line.setAttribute("stroke-dasharray", dashes[i % 8].join(" "));
			svg.append(line);
			const sum = data[i + 1].reduce((a, b) => a + b, 0);
			const button = make("button", { type: "button" }, svg, `${name} `, make("b", { textContent: sum.toLocaleString("en") }));
			button.setAttribute("aria-pressed", "true");
			button.title = "Show or hide this line";
			button.addEventListener("click", () => {
				const on = button.getAttribute("aria-pressed") !== "true";
				button.setAttribute("aria-pressed", on);
				toggle(i + 1, on);
			});
			list.append(make("li", {}, button));
		});
		figure.querySelector(".key")?.remove();
		figure.querySelector(".plot").after(list);
	};

	const tip = (box, names) => (u) => {
		const k = u.cursor.idx;
		if (k === null || k === undefined || u.cursor.left < 0) { box.hidden = true; return; }
		const lines = [make("strong", { textContent: clock(new Date(u.data[0][k] * 1000)) })];
		names.map((name, i) => [u.series[i + 1].show ? u.data[i + 1][k] : 0, name]).filter((p) => p[0]).sort((a, b) => b[0] - a[0])
			.forEach(([n, name]) => lines.push(make("br"), `${n} ${name}`));
		if (lines.length === 1) lines.push(" nothing");
		box.replaceChildren(...lines);
		box.hidden = false;
		const right = u.cursor.left > u.over.clientWidth / 2;
		box.style.left = right ? "auto" : `${u.cursor.left + 12}px`;
		box.style.right = right ? `${u.over.clientWidth - u.cursor.left + 12}px` : "auto";
		box.style.top = "4px";
	};

	const draw = (plot) => {
		const table = document.getElementById(plot.dataset.of);
		const figure = plot.closest("figure");
		const { names, data } = read(table);
		const ink = colour("--soft"), grid = colour("--line"), font = "12px system-ui, sans-serif";
		const axis = { stroke: ink, font, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 } };
		const box = make("div", { className: "tip-box", hidden: true });
		plot.replaceChildren();
		const u = new uPlot({
			width: plot.clientWidth, height: plot.clientHeight,
			legend: { show: false },
			cursor: { drag: { x: false, y: false }, points: { size: 6 } },
			scales: { y: { range: (_, __, max) => [0, max > 0 ? Math.max(max * 1.08, 1) : 1] } },
			axes: [{ ...axis, size: 34, values: [[86400, "{YYYY}-{MM}-{DD}", null, null, null, null, null, null, 1], [60, "{HH}:{mm}", null, null, null, null, null, null, 1]], space: 60 },
				{ ...axis, size: 52, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7, 1e8, 1e9],
					values: (_, ticks) => ticks.map((n) => n.toLocaleString("en", { notation: n >= 1e4 ? "compact" : "standard" })) }],
			series: [{}, ...names.map((name, i) => ({ label: name, stroke: colour(`--c${i % 8 + 1}`), width: 2, dash: dashes[i % 8], points: { show: false } }))],
			hooks: { setCursor: [tip(box, names)] },
		}, data, plot);
		u.over.append(box);
		key(figure, names, data, (i, on) => u.setSeries(i, { show: on }));
		new ResizeObserver(() => { if (plot.clientWidth && plot.clientWidth !== u.width) u.setSize({ width: plot.clientWidth, height: plot.clientHeight }); }).observe(plot);
		return u;
	};

	const all = () => $$(".plot").forEach(draw);
	all();
	matchMedia("(prefers-color-scheme: dark)").addEventListener("change", all);

	// When the page is fetched again, the numbers are taken over and drawn.
	document.addEventListener("fresh", (e) => {
		for (const plot of $$(".plot")) {
			const now = e.detail.getElementById(plot.dataset.of), old = document.getElementById(plot.dataset.of);
			if (!now || now.textContent === old.textContent) continue;
			const hidden = $$(".key button[aria-pressed=false]", plot.closest("figure")).map((b) => b.textContent.replace(/ [\d,]+$/, ""));
			old.replaceChildren(...now.childNodes);
			draw(plot);
			for (const b of $$(".key button", plot.closest("figure"))) if (hidden.includes(b.textContent.replace(/ [\d,]+$/, ""))) b.click();
		}
	});
})();
