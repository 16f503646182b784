/** The page's elements. */

/** Returns the element with an id. */
export const byId = (id) => document.getElementById(id);

/** Returns a new element; `properties` are set on it, `data-` and `aria-` ones as attributes. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (/^(aria-|data-|role$)/.test(name)) made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

/** Makes a list as long as `count`, and returns its children: what stays keeps its focus. */
export function children(parent, count, make) {
  while (parent.children.length > count) parent.lastElementChild.remove();
  while (parent.children.length < count) parent.append(make(parent.children.length));
  return [...parent.children];
}

/** Sets the text where it is another one: screen readers read each change. */
export function say(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

export const words = (name) => name.replaceAll("_", " ");
export const hundredths = (score) => score.toFixed(2);

/** Calls `work` once before the next picture of the screen, however often it is asked for. */
export function once(work) {
  let waits = false;
  return () => {
    if (waits) return;
    waits = true;
    requestAnimationFrame(() => {
      waits = false;
      work();
    });
  };
}

/** Makes a canvas as sharp as the screen; returns its context, whose unit is a CSS pixel, and its size in them. */
export function sharp(canvas) {
  const width = canvas.clientWidth, height = canvas.clientHeight, dots = window.devicePixelRatio || 1;
  const wide = Math.round(width * dots), high = Math.round(height * dots);
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
  }
  const context = canvas.getContext("2d");
  context.setTransform(dots, 0, 0, dots, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}
