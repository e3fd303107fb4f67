// Runs before the page is drawn, so that a chosen theme does not flash.
(() => {
  "use strict";
  try {
    const theme = localStorage.getItem("astra-theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Without storage the system's choice stays.
  }
})();
