(() => {
  const faults = [];
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const root = document.documentElement;
  // The frame's title says what was asked for; what is reported is what the page saw.
  const seen = frameElement.title.split(" ")[0] + " " + innerWidth + " " + (dark ? "dark" : "light");
  if (root.scrollWidth > innerWidth) faults.push("the page is " + root.scrollWidth + " px wide");

  const numbers = (colour) => {
    const all = colour.match(/[\d.]+/g).map(Number);
    return { r: all[0], g: all[1], b: all[2], a: all.length > 3 ? all[3] : 1 };
  };
  const light = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((c) => { c /= 255; return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const over = (top, below) => ({
    r: top.r * top.a + below.r * (1 - top.a), g: top.g * top.a + below.g * (1 - top.a), b: top.b * top.a + below.b * (1 - top.a), a: 1,
  });
  // What lies behind an element: every ground up to the first opaque one, the browser's own at the end.
  const ground = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const colour = numbers(getComputedStyle(at).backgroundColor);
      if (colour.a > 0) layers.push(colour);
      if (colour.a === 1) break;
    }
    let below = dark && getComputedStyle(root).colorScheme.includes("dark") ? { r: 18, g: 18, b: 18, a: 1 } : { r: 255, g: 255, b: 255, a: 1 };
    while (layers.length) below = over(layers.pop(), below);
    return below;
  };
  const contrast = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const named = (element) => element.tagName.toLowerCase() + (element.className ? "." + element.className : "");

  let texts = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || ["SCRIPT", "STYLE"].includes(element.tagName) || !element.getClientRects().length) continue;
    texts += 1;
    const style = getComputedStyle(element);
    const back = ground(element);
    const ratio = contrast(over(numbers(style.color), back), back);
    const words = "“" + node.data.trim().slice(0, 40) + "” in " + named(element);
    if (ratio < 4.5) faults.push("contrast " + ratio.toFixed(2) + " of " + words);
    if (parseFloat(style.fontSize) < 16) faults.push("letters of " + style.fontSize + " in " + words);
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) {
      if (box.right > innerWidth + 0.5 || box.left < -0.5) { faults.push("over the edge: " + words); break; }
    }
  }
  for (const element of document.querySelectorAll("button, .button, input:not([type=hidden]), select, textarea")) {
    const box = element.getBoundingClientRect();
    if (box.height < 44 || box.width < 44) faults.push("target of " + box.width.toFixed(0) + " x " + box.height.toFixed(0) + " px: " + named(element));
    if (box.right > innerWidth + 0.5) faults.push("over the edge: " + named(element));
  }
  const result = parent.document.getElementById("measured");
  result.textContent += seen + " texts " + texts + "\n" + [...new Set(faults)].map((fault) => seen + ": " + fault + "\n").join("");
})();
