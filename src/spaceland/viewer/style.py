"""How the pages look and the little they can do: one style sheet, one script, no external file.

Colours are those of a drawing: paper, ink, one accent. The colours of marks are used for nothing else.
"""

from __future__ import annotations

CSS = """
:root{--paper:#f3f5f7;--card:#fff;--ink:#16212c;--soft:#5a6876;--line:#dbe2e8;--grid:#e8edf1;--accent:#0e7068;
--wash:#e2f2ef;--bar:#5f9ea0;--shade:0 1px 2px rgba(20,40,60,.06),0 6px 20px -12px rgba(20,40,60,.18);
--red:#e6141e;--blue:#1450f5;--green:#0aa53c;--yellow:#d9a900;--purple:#9628c8;--orange:#e06c00;
--sans:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
--mono:ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
@media (prefers-color-scheme:dark){:root{--paper:#0e141a;--card:#161e26;--ink:#e4ebf1;--soft:#94a3b1;--line:#2a3641;
--grid:#26323c;--accent:#5fd0c1;--wash:#12312e;--bar:#3f8686;--shade:none;
--red:#ff5a5f;--blue:#6f97ff;--green:#3fcf72;--yellow:#fad20a;--purple:#c07af0;--orange:#ff9a3c}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;scroll-padding-top:7.5rem;-webkit-text-size-adjust:100%}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 var(--sans)}
.wrap{max-width:1200px;margin:0 auto;padding:0 1.25rem}
h1{font-size:clamp(1.7rem,4.2vw,2.7rem);line-height:1.12;letter-spacing:-.025em;margin:.1em 0 .35em;font-weight:680;
overflow-wrap:anywhere;text-wrap:balance}
h2{font-size:1.5rem;letter-spacing:-.015em;line-height:1.2;margin:3.2rem 0 .4rem;font-weight:660}
h3{font-size:1.08rem;line-height:1.3;margin:2.2rem 0 .2rem;font-weight:640;overflow-wrap:anywhere}
h4{font-size:.86rem;margin:0 0 .5rem;font-weight:600;color:var(--soft)}
p{margin:.4rem 0 .8rem;max-width:70ch}
a{color:var(--accent);text-decoration-thickness:1px;text-underline-offset:.18em}
a:focus-visible,button:focus-visible,select:focus-visible,summary:focus-visible,input:focus-visible
{outline:2px solid var(--accent);outline-offset:2px;border-radius:4px}
code,pre,.mono{font-family:var(--mono);font-size:.84em}
pre{white-space:pre-wrap;overflow-wrap:anywhere;
margin:.5rem 0;padding:.8rem 1rem;overflow:auto;background:var(--paper);border:1px solid var(--line);
border-radius:8px;line-height:1.5;max-height:26rem}
.soft{color:var(--soft)}
.small{font-size:.86rem}
.hero{border-bottom:1px solid var(--line);background-color:var(--card);
background-image:linear-gradient(var(--grid) 1px,transparent 1px),
linear-gradient(90deg,var(--grid) 1px,transparent 1px);
background-size:28px 28px;background-position:-1px -1px}
.hero .wrap{padding-top:2.6rem;padding-bottom:1.8rem;display:grid;gap:0 3rem;align-items:center}
.hero .wrap>*{min-width:0}
@media (min-width:900px){.hero .wrap{grid-template-columns:minmax(0,1fr) auto}.rooms{max-width:500px}}
.brand{font-weight:700;letter-spacing:-.01em;color:var(--accent)}
.stats{display:flex;flex-wrap:wrap;gap:.3rem 2.4rem;margin:1.3rem 0 0;padding:0}
.stats div{display:flex;flex-direction:column-reverse}
.stats dt{color:var(--soft);font-size:.86rem}
.stats dd{margin:0;font-size:1.75rem;font-weight:640;letter-spacing:-.02em;line-height:1.2;
font-variant-numeric:tabular-nums}
.rooms{display:flex;flex-wrap:wrap;gap:1rem;margin-top:1rem}
.rooms figure{margin:0;width:150px}
.rooms svg{display:block;width:150px;height:auto}
figcaption{font-size:.8rem;color:var(--soft);margin-top:.3rem;overflow-wrap:anywhere}
.meta{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.15rem 1.2rem;margin:1rem 0;font-size:.92rem}
.meta dt{color:var(--soft)}
.meta dd{margin:0;overflow-wrap:anywhere}
nav{position:sticky;top:0;z-index:5;background:var(--card);border-bottom:1px solid var(--line)}
nav .wrap{display:flex;gap:1.3rem;overflow-x:auto;align-items:center;white-space:nowrap;height:3rem;
scrollbar-width:none}
nav a{color:var(--ink);text-decoration:none;font-size:.92rem}
nav a:hover{color:var(--accent);text-decoration:underline}
.filter{position:sticky;top:3rem;z-index:4;background:var(--paper);padding:.6rem 0;border-bottom:1px solid var(--line);
display:flex;flex-wrap:wrap;gap:.5rem 1.1rem;align-items:center;font-size:.9rem}
[hidden]{display:none!important}
.filter label{display:inline-flex;gap:.45rem;align-items:center;color:var(--soft)}
select{font:inherit;color:var(--ink);background:var(--card);border:1px solid var(--line);border-radius:7px;
padding:.28rem .45rem;max-width:15rem}
.panels{columns:330px;column-gap:1rem;margin-top:1rem}
.panel{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:1rem 1.1rem;
break-inside:avoid;margin-bottom:1rem}
.panel svg{display:block;width:100%;height:auto;overflow:visible}
.card{background:var(--card);border:1px solid var(--line);border-radius:14px;box-shadow:var(--shade);
padding:1.1rem;margin:1rem 0;display:grid;gap:.9rem 1.5rem;grid-template-columns:minmax(0,1fr)}
.card>*{min-width:0}
.card>header{display:flex;flex-wrap:wrap;gap:.3rem .8rem;align-items:center;font-size:.84rem;color:var(--soft);
grid-column:1/-1}
.card>header .mono{overflow-wrap:anywhere}
.pill{background:var(--wash);color:var(--accent);border-radius:99px;padding:.08rem .65rem;font-weight:600}
.pictures{display:grid;grid-template-columns:minmax(0,1fr);gap:.8rem;align-self:start}
.pictures figure{margin:0;position:relative;min-width:0}
.frame{position:relative;border-radius:8px;overflow:hidden;background:var(--paper)}
.frame img,.frame svg{display:block;width:100%;height:auto}
.frame.strip{overflow-x:auto}.frame.strip svg{min-width:600px}
.frame svg.over{position:absolute;inset:0;height:100%}
.missing{padding:2.5rem 1rem;text-align:center;color:var(--soft);border:1px dashed var(--line);border-radius:8px}
.question{font-size:1.06rem;margin:0 0 .8rem;white-space:pre-line;overflow-wrap:anywhere}
.keep{white-space:nowrap}.mark{font-weight:600}
.mark::before{content:"";display:inline-block;width:.62em;height:.62em;margin:0 .3em 0 .1em;background:var(--c);
border-radius:50%}
.mark.box::before{background:none;border:.16em solid var(--c);border-radius:2px}
.options{list-style:none;margin:0 0 .8rem;padding:0;display:grid;gap:.35rem}
.options li{border:1px solid var(--line);border-radius:8px;padding:.32rem .7rem;display:flex;gap:.7rem;
overflow-wrap:anywhere}
.options b{color:var(--soft);font-weight:600}
.options li.right{border-color:var(--accent);background:var(--wash)}
.options li.right b{color:var(--accent)}
.options li.right::after{content:"\\2713";margin-left:auto;color:var(--accent);font-weight:700}
.answer{border-left:3px solid var(--accent);padding:.1rem 0 .1rem .8rem;margin:0 0 .8rem;max-width:none;
overflow-wrap:anywhere}
.answer b{font-size:1.12rem;font-weight:640}
.answer b.long{font-size:1rem;font-weight:400}
.values{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.1rem 1rem;margin:0;font-size:.88rem}
.values dt{color:var(--soft)}
.values dd{margin:0;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
details{font-size:.9rem}
summary{cursor:pointer;color:var(--soft);padding:.2rem 0}
summary:hover{color:var(--accent)}
.card>details{grid-column:1/-1;border-top:1px solid var(--line);padding-top:.5rem}
.plan{margin:0}
.plan svg{display:block;width:100%;max-width:360px;height:auto;margin:0 auto}
.scroll{overflow-x:auto;margin:.7rem 0}
table{border-collapse:collapse;font-size:.92rem;min-width:100%;background:var(--card)}
th,td{text-align:left;padding:.38rem .8rem;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--soft);font-weight:600;font-size:.84rem;white-space:nowrap}
th.num{text-align:right}
.panel .scroll{margin:0}.panel table{font-size:.88rem;background:none}.panel :is(th,td):first-child{padding-left:0}
.panel :is(th,td):last-child{padding-right:0}.panel tr:last-child td{border-bottom:0}
td.num{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.examples{display:flex;flex-wrap:wrap;gap:.5rem;align-items:flex-start}
.examples img{display:block;width:150px;height:auto;border-radius:5px}
.examples svg{display:block;width:130px;height:auto}
details.reasons{border-top:1px solid var(--line);padding:.3rem 0}details.reasons summary{color:var(--ink)}
.gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,260px),1fr));gap:1rem;margin:1rem 0}
.gallery figure{margin:0}
.gallery img{display:block;width:100%;height:auto;border-radius:8px;border:1px solid var(--line);background:#fff}
@media (min-width:800px){.gallery.lead{grid-template-columns:6fr 4fr 4fr}
.gallery.lead figure:first-child{grid-row:1/span 4}}
.links{display:flex;flex-wrap:wrap;gap:.6rem;margin:1rem 0;padding:0;list-style:none}
.links a{display:inline-block;background:var(--card);padding:.42rem .9rem;border:1px solid var(--accent);
border-radius:8px;text-decoration:none;font-weight:600;font-size:.92rem}
.links a:hover{background:var(--wash)}
.good{color:var(--accent);font-weight:640}
footer{margin:4rem 0 2rem;padding-top:1rem;border-top:1px solid var(--line);color:var(--soft);font-size:.86rem}
svg text{font-family:var(--sans);fill:var(--soft)}
.c-bar{fill:var(--bar)}.c-line{stroke:var(--line);fill:none}.c-ink{fill:var(--ink)!important}
.p-grid{stroke:var(--grid);stroke-width:1}.p-floor{fill:none;stroke:var(--ink);stroke-width:2;stroke-linejoin:round}
.p-floorfill{fill:var(--card)}
.p-thing{fill:var(--soft);fill-opacity:.13;stroke:var(--soft);stroke-opacity:.5;stroke-width:.8}
.p-wedge{fill:var(--accent);fill-opacity:.13}.p-cam{fill:var(--accent)}
.p-dash{stroke:var(--ink);stroke-width:1.4;stroke-dasharray:4 3;fill:none}.p-head{fill:var(--ink)}
.p-ring{fill:none;stroke:var(--ink);stroke-width:1.8}.p-way{stroke:var(--ink);stroke-width:2;fill:none}
.p-label{fill:var(--ink)!important;font-weight:600;paint-order:stroke;stroke:var(--card);stroke-width:3px;
stroke-linejoin:round}
.p-num{fill:var(--card)!important;font-weight:700}
.k-red{--c:var(--red)}.k-blue{--c:var(--blue)}.k-green{--c:var(--green)}.k-yellow{--c:var(--yellow)}
.k-purple{--c:var(--purple)}.k-orange{--c:var(--orange)}.k-other{--c:var(--accent)}
.p-fact{fill:var(--c);fill-opacity:.28;stroke:var(--c);stroke-width:1.4}.p-dot{fill:var(--c);stroke:var(--card);
stroke-width:1.5}
.o-right{fill:none;stroke:#fff;stroke-width:3;vector-effect:non-scaling-stroke;filter:drop-shadow(0 0 2px #000)}
.o-wrong{fill:none;stroke:#fff;stroke-opacity:.75;stroke-width:1.3;stroke-dasharray:5 4;
vector-effect:non-scaling-stroke}
.o-text{fill:#fff!important;font-weight:700;paint-order:stroke;stroke:rgba(0,0,0,.75);stroke-width:.22em}
.o-seen{fill:none;stroke:#fff;stroke-width:2;filter:drop-shadow(0 0 1.5px #000)}
body.quiz .secret{visibility:hidden}
body.quiz .options li.right{border-color:var(--line);background:none}
body.quiz .options li.right b{color:var(--soft)}
body.quiz .options li.right::after{content:none}
@media (min-width:900px){
.card.one{grid-template-columns:minmax(0,5fr) minmax(0,4fr) minmax(0,3fr)}
.card.many{grid-template-columns:minmax(0,3fr) minmax(0,1fr);grid-template-rows:auto auto 1fr}
.card.many>.plan{grid-column:2;grid-row:2/span 2}
.card.many:not(:has(>.plan))>:is(.pictures,.words){grid-column:1/-1}}
@media (min-width:620px){.pictures.pair{grid-template-columns:repeat(2,minmax(0,1fr))}}
@media (max-width:560px){.card{padding:.85rem;border-radius:10px}.wrap{padding:0 .9rem}.stats dd{font-size:1.4rem}
.plan svg{max-width:290px}
.meta{grid-template-columns:minmax(0,1fr);gap:0}.meta dd{margin-bottom:.35rem}}
@media print{nav,.filter{display:none}.card{break-inside:avoid;box-shadow:none}}
"""

SCRIPT = """
(function(){"use strict";
var task=document.getElementById("f-task"),format=document.getElementById("f-format"),
quiz=document.getElementById("f-quiz"),shown=document.getElementById("f-shown");
function apply(){var cards=document.querySelectorAll("article.card"),n=0;
cards.forEach(function(c){var ok=(!task.value||c.dataset.task===task.value)
&&(!format.value||c.dataset.format===format.value);
c.hidden=!ok;c.style.display=ok?"":"none";n+=ok;});
document.querySelectorAll("section.task").forEach(function(s){
s.style.display=s.querySelector("article.card:not([hidden])")?"":"none";});
shown.textContent=n+" of "+cards.length+" samples";}
task.addEventListener("change",apply);format.addEventListener("change",apply);
quiz.addEventListener("change",function(){document.body.classList.toggle("quiz",quiz.checked);});
window.addEventListener("hashchange",function(){var id=decodeURIComponent(location.hash.slice(1)),
e=document.getElementById(id);
if(e&&e.offsetParent===null){task.value="";format.value="";apply();e.scrollIntoView();}});
document.getElementById("filter").hidden=false;apply();
document.documentElement.dataset.ready="yes";
})();
"""
