"""The page of a review: one sample at a time, decided with the keyboard.

The page is the same for everyone and holds no secret; the key that lets it speak to the server stands behind the # of
its address, which browsers do not send. Cards come from the server as markup that is escaped there; the content
security policy allows this one script, and requests to the page's own server only.
"""

from __future__ import annotations

import base64
import hashlib

from spaceland.review.verdicts import REASONS
from spaceland.viewer.html import Html, tag
from spaceland.viewer.style import CSS

_CSS = """
body{padding-bottom:7rem}
.bar{position:sticky;top:0;z-index:5;background:var(--card);border-bottom:1px solid var(--line);padding:.5rem 0}
.bar .wrap{display:flex;flex-wrap:wrap;gap:.3rem 1.4rem;align-items:center}
.bar progress{width:9rem;accent-color:var(--accent)}
.deck{position:fixed;bottom:0;left:0;right:0;background:var(--card);border-top:1px solid var(--line);padding:.7rem 0}
.deck .wrap{display:flex;flex-wrap:wrap;gap:.5rem}
button{font:inherit;color:var(--ink);background:var(--paper);border:1px solid var(--line);border-radius:8px;
padding:.35rem .8rem;cursor:pointer}
button kbd{font-family:var(--mono);font-size:.8em;color:var(--soft);border:1px solid var(--line);border-radius:4px;
padding:0 .35em;margin-right:.45em}
button:hover{border-color:var(--accent)}
#state{font-weight:640}#state.accept{color:var(--accent)}#state.reject{color:var(--red)}
#problem{color:var(--red)}
"""

_SCRIPT = """
(function(){"use strict";
var key=location.hash.slice(1),samples=[],at=0,asking=false,busy=false,history=[],cards={};
// Looked up before any card is there: ids of rows must not stand in for ours.
var found={};"reasons main place task done count state problem card b-accept b-reject b-undo b-hide b-left b-right"
.split(" ").forEach(function(id){found[id]=document.getElementById(id);});
function get(id){return found[id];}
function say(text){get("problem").textContent=text;}
function call(path,body){
var options={headers:{"X-Spaceland-Key":key},cache:"no-store"};
if(body!==undefined){options.method="POST";options.headers["Content-Type"]="application/json";
options.body=JSON.stringify(body);}
return fetch(path,options).then(function(r){return r.json().then(function(v){
if(!r.ok){throw new Error(v.error||("error "+r.status));}return v;});});}
function card(k){if(!(k in cards)){cards[k]=call("/card?k="+k).then(function(v){return v.html;});
cards[k].catch(function(){delete cards[k];});}return cards[k];}
function done(){return samples.filter(function(s){return s.verdict;}).length;}
function show(){
var s=samples[at],n=at;asking=false;get("reasons").hidden=true;get("main").hidden=false;
get("place").textContent=(at+1)+" of "+samples.length;get("task").textContent=s.task+", "+s.format;
get("done").value=done();get("done").max=samples.length;
get("count").textContent=done()+" decided, "+samples.filter(function(x){return x.verdict==="accept";}).length
+" accepted";
get("state").textContent=s.verdict?(s.verdict==="accept"?"accepted":"rejected: "+s.reason):"not decided";
get("state").className=s.verdict||"";
document.documentElement.dataset.at=at;
card(at).then(function(html){if(n===at){get("card").innerHTML=html;window.scrollTo(0,0);
document.documentElement.dataset.shown=at;}
if(at+1<samples.length){card(at+1);}}).catch(function(e){say(e.message);});}
function go(k){at=Math.max(0,Math.min(samples.length-1,k));show();}
function next(){for(var k=1;k<=samples.length;k++){var j=(at+k)%samples.length;
if(!samples[j].verdict){go(j);return;}}go(at);say("Every sample is decided.");}
function decide(k,verdict,reason,forward){
if(busy){return;}busy=true;say("");
call("/verdict",{k:k,id:samples[k].id,verdict:verdict,reason:reason}).then(function(){
samples[k].verdict=verdict;samples[k].reason=reason;busy=false;
if(forward){history.push(k);next();}else{go(k);}
document.documentElement.dataset.saved=(+document.documentElement.dataset.saved||0)+1;
}).catch(function(e){busy=false;say("Not saved: "+e.message);show();});}
function accept(){decide(at,"accept","",true);}
function ask(){asking=true;get("reasons").hidden=false;get("main").hidden=true;}
function reject(n){decide(at,"reject",get("reasons").children[n].dataset.reason,true);}
function undo(){if(history.length){decide(history.pop(),null,"",false);}
else if(samples[at].verdict){decide(at,null,"",false);}}
function hide(){document.body.classList.toggle("quiz");}
document.addEventListener("keydown",function(e){
if(e.ctrlKey||e.altKey||e.metaKey||!samples.length||e.repeat){return;}
var k=e.key.toLowerCase(),n=parseInt(k,10)-1;
if(asking&&n>=0&&n<get("reasons").children.length){reject(n);}
else if(asking&&k==="escape"){show();}
else if(k==="a"){accept();}else if(k==="r"){ask();}else if(k==="u"){undo();}else if(k==="h"){hide();}
else if(k==="arrowleft"){go(at-1);}else if(k==="arrowright"){go(at+1);}else{return;}
e.preventDefault();});
get("b-accept").addEventListener("click",accept);get("b-reject").addEventListener("click",ask);
get("b-undo").addEventListener("click",undo);get("b-hide").addEventListener("click",hide);
get("b-left").addEventListener("click",function(){go(at-1);});
get("b-right").addEventListener("click",function(){go(at+1);});
Array.prototype.forEach.call(get("reasons").children,function(b,n){
b.addEventListener("click",function(){reject(n);});});
if(!key){say("Open the address that the terminal shows: it ends with a key.");}
else{call("/samples").then(function(v){samples=v.samples;
for(at=0;at<samples.length&&samples[at].verdict;at++){}go(at);
document.documentElement.dataset.ready="yes";}).catch(function(e){say(e.message);});}
})();
"""


def _button(name: str, key: str, text: str) -> Html:
    return tag("button", tag("kbd", key), text, id=f"b-{name}", attributes={"type": "button"})


def review_page() -> tuple[str, str]:
    """The page, and its content security policy for the response's header."""
    reasons = [
        tag("button", tag("kbd", str(k)), reason, attributes={"type": "button", "data-reason": reason})
        for k, reason in enumerate(REASONS, 1)
    ]
    bar = tag(
        "div",
        tag("div", tag("b", "Review"), tag("span", id="place"), tag("span", id="task", class_="mono"),
            tag("span", "loading", id="state"), tag("progress", id="done"), tag("span", id="count", class_="soft"),
            tag("span", id="problem", attributes={"role": "alert"}), class_="wrap"),
        class_="bar",
    )  # fmt: skip
    main = tag(
        "div",
        _button("accept", "a", "accept"),
        _button("reject", "r", "reject"),
        _button("left", "\N{LEFTWARDS ARROW}", "back"),
        _button("right", "\N{RIGHTWARDS ARROW}", "on"),
        _button("undo", "u", "undo"),
        _button("hide", "h", "hide answer"),
        class_="wrap",
        id="main",
    )
    deck = tag("div", main, tag("div", reasons, class_="wrap", id="reasons", hidden=True), class_="deck")
    digest = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; "
        f"script-src 'sha256-{digest}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", attributes={"name": "color-scheme", "content": "light dark"}),
        tag("title", "Review"),
        tag("style", Html(CSS + _CSS)),
    )
    body = tag("body", bar, tag("main", id="card", class_="wrap"), deck, tag("script", Html(_SCRIPT)))
    return f'<!doctype html>\n<html lang="en">{head}\n{body}</html>\n', policy
