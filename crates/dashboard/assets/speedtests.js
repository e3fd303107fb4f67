"use strict";

(() => {
  const place = document.getElementById("speedtest-chart");
  if (!place) return;
  astraCharts.speedtests(place.querySelector("figure"), place.dataset.id, place.dataset.parameters).catch((error) => {
    place.querySelector(".plot").setAttribute("aria-label", error.message);
  });
})();
