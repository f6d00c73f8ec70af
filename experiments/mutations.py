"""Mutation testing: faults planted in the code one at a time. Does any test fail?

Run `python experiments/mutations.py`, optionally followed by numbers of faults. Each fault changes one line of a copy of the
source; the tests named with it are run on that copy until the first one fails. The script prints one line for every fault, and
at the end how many were caught. A fault that survives shows a gap in the tests.
"""

import os
import subprocess
import sys
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory
from typing import NamedTuple

ROOT = Path(__file__).parents[1]


class Fault(NamedTuple):
    """One line of one file under src/assay, its replacement, and the tests that should notice."""

    what: str
    path: str
    line: str
    fault: str
    tests: tuple[str, ...]


FAULTS = (
    Fault(
        "what stands before an excerpt is cut off by its letters, not by its bytes",
        "instruments/langue/bits.py",
        "        return ngrams.bits(self.before + self.text)[:, len(self.before.encode()) :]",
        "        return ngrams.bits(self.before + self.text)[:, len(self.before) :]",
        ("tests/instruments/test_langue_bits.py",),
    ),
    Fault(
        "the end of a text is charged to an excerpt from its middle",
        "instruments/langue/bits.py",
        "        return bits[..., : None if self.closed else -1].sum(-1) / max(1, self.size)",
        "        return bits.sum(-1) / max(1, self.size)",
        ("tests/instruments/test_langue_bits.py",),
    ),
    Fault(
        "a layer that all share passes for a reading of inputs, since another part hands them on",
        "instruments/fracture/carried.py",
        "    return torch.tensor([beside.get(layer.name, torch.inf) < CARRIES for layer in read.layers], dtype=torch.bool)",
        "    return torch.tensor([layer.name in beside for layer in read.layers], dtype=torch.bool)",
        ("tests/instruments/fracture/test_carried.py",),
    ),
    Fault(
        "a favoured place is no term of the mixture",
        "instruments/binding/mixture.py",
        "    return Mixture(shares, predicted([0, 1, 2, 3]), predicted(every), alone)",
        "    return Mixture(shares, predicted([0, 1, 2, 3]), predicted([0, 1, 2, 3]), alone)",
        ("tests/instruments/binding/test_mixture.py",),
    ),
    Fault(
        "two cells interact where the second one has an effect alone",
        "instruments/binding/interactions.py",
        "    apart = (whole - alone[:, first] - alone[:, second] + both).norm(dim=2)",
        "    apart = (both - alone[:, first]).norm(dim=2)",
        ("tests/instruments/binding/test_interactions.py",),
    ),
    Fault(
        "lists without free places that begin anywhere",
        "tasks/lists.py",
        "            torch.randint(self.places - size + 1 if self.free else 1, (n,), generator=generator),",
        "            torch.randint(self.places - size + 1, (n,), generator=generator),",
        ("tests/tasks/test_lists.py",),
    ),
    Fault(
        "gates that start unit by unit, so that another order of units is another search",
        "instruments/circuits/search.py",
        "        noise = SPREAD * torch.randn(num, generator=generator)[_ranks(effects)]",
        "        noise = SPREAD * torch.randn(num, generator=generator)",
        ("tests/instruments/circuits/test_search.py",),
    ),
    Fault(
        "rows answered by the weights of another candidate",
        "swarm/candidates.py",
        "            weights = (wide(own) + change).to(own.dtype)",
        "            weights = (wide(own) + change.flip(0)).to(own.dtype)",
        ("tests/swarm/test_evaluate.py",),
    ),
    Fault(
        "pairs of places that were read in fitting judge the read-out",
        "instruments/binding/same_object.py",
        "    said = left_out(features, wanted[:, None], pairs.scene)[:, 0]",
        "    said = left_out(features, wanted[:, None], torch.arange(len(wanted)))[:, 0]",
        ("tests/instruments/binding",),
    ),
    Fault(
        "ablation of the directions that the read-out weighs least",
        "instruments/binding/same_object.py",
        "    return ReadDirections(mean, axes, scale, directions[:, sizes.abs().argsort(descending=True)])",
        "    return ReadDirections(mean, axes, scale, directions[:, sizes.abs().argsort()])",
        ("tests/instruments/binding",),
    ),
    Fault(
        "slot attention is trained through all iterations",
        "models/slot_attention.py",
        "            with torch.set_grad_enabled(torch.is_grad_enabled() and (last or not self.training)):",
        "            with torch.set_grad_enabled(torch.is_grad_enabled()):",
        ("tests/models/test_slot_attention.py",),
    ),
    Fault(
        "gradients of a trained slot attention pass the last iteration alone",
        "models/slot_attention.py",
        "            with torch.set_grad_enabled(torch.is_grad_enabled() and (last or not self.training)):",
        "            with torch.set_grad_enabled(torch.is_grad_enabled() and last):",
        ("tests/models/test_slot_attention.py",),
    ),
    Fault(
        "exchanged scenes with pairs that were never trained",
        "entities.py",
        "    return (attributes[:, :, None] == trained).all(3).any(2)",
        "    return (attributes[:, :, None] == trained).any(3).any(2)",
        ("tests/test_entities.py",),
    ),
    Fault(
        "orbits of one example counted as shared",
        "instruments/fracture/coherence.py",
        "        live = (self.sizes > 1) & (total > _SMALL * total.mean())",
        "        live = total > _SMALL * total.mean()",
        ("tests/instruments/fracture",),
    ),
    Fault(
        "an exchange of both numbers that takes sums to others",
        "tasks/digits.py",
        "        move[place] = place.view_as(few).flip(1).flatten()",
        "        move[place] = place.roll(1)",
        ("tests/instruments/fracture/test_exchanged_numbers.py",),
    ),
    Fault(
        "a composition gap over nodes whose parts are all inputs",
        "computation/analysis.py",
        "    return (computations.layers > 1) & answered[computations.example]",
        "    return (computations.layers > 0) & answered[computations.example]",
        ("tests/instruments/subgraphs/test_predictions.py",),
    ),
    Fault(
        "a composition gap over examples without an answer",
        "computation/analysis.py",
        "    return (computations.layers > 1) & answered[computations.example]",
        "    return computations.layers > 1",
        ("tests/instruments/subgraphs/test_predictions.py",),
    ),
    Fault(
        "one shared thing said where a layer or a context has weights of its own",
        "instruments/fracture/answer.py",
        "    as_one = shared.interval.low > ONE and least.interval.low > ALIKE",
        "    as_one = shared.interval.low > ONE",
        ("tests/verdict/test_sharing.py",),
    ),
    Fault(
        "one shared thing said of a table with an entry for every example",
        "instruments/fracture/answer.py",
        "    if as_one and enters.interval.low > ENTERS:",
        "    if as_one:",
        ("tests/verdict/test_sharing.py",),
    ),
    Fault(
        "one shared thing said where some contexts are not exchanged",
        "instruments/fracture/answer.py",
        "    if not isinstance(values, int) or num < values:",
        "    if not isinstance(values, int):",
        ("tests/verdict/test_sharing.py",),
    ),
    Fault(
        "weights run without gradients counted as read",
        "responses.py",
        "    live = [modules[layer.name] for layer in layers if bool((layer.gradients != 0).any())]",
        "    live = [modules[layer.name] for layer in layers]",
        ("tests/instruments/fracture/test_contexts.py",),
    ),
    Fault(
        "rows that are given again counted as further units",
        "regularity.py",
        "        if not num or int(number.max()) == num - 1:",
        "        if num:",
        ("tests/instruments/fracture/test_contexts.py",),
    ),
    Fault(
        "a network beside itself as one of its weights in another order",
        "instruments/fracture/instrument.py",
        "        for number in range(0 if made else shuffles):",
        "        for number in range(shuffles):",
        ("tests/instruments/fracture/test_contexts.py",),
    ),
    Fault(
        "copies by context said where a layer serves all",
        "instruments/fracture/answer.py",
        "    if shared.interval.high < COPIES and most.interval.high < ALIKE:",
        "    if shared.interval.high < COPIES:",
        ("tests/verdict/test_sharing.py",),
    ),
    Fault(
        "examples beside themselves counted in the likeness of contexts",
        "instruments/fracture/contexts.py",
        "            moved = (rows != own).nonzero()[:, 0]",
        "            moved = own",
        ("tests/instruments/fracture/test_contexts.py",),
    ),
    Fault(
        "a layer that carries and hardly responds counted for nothing",
        "instruments/fracture/contexts.py",
        "    return responds & (carries[:, None, None] | loud), responds & loud",
        "    return responds & loud, responds & loud",
        ("tests/instruments/fracture/test_carried.py", "tests/instruments/fracture/test_contexts.py"),
    ),
    Fault(
        "a layer in common that hardly responds beside silenced copies counted for nothing",
        "instruments/fracture/contexts.py",
        "    shared = torch.cat([alike[loud], within[every & ~loud & ~reads[:, None, None]]])",
        "    shared = alike[loud]",
        ("tests/instruments/fracture/test_carried.py", "tests/instruments/fracture/test_contexts.py"),
    ),
    Fault(
        "equal copies in a layer that gives all examples the same passed over",
        "instruments/fracture/carried.py",
        "    return lost[layer.name] < CARRIES and bool((layer.inputs != layer.inputs[:1]).any())",
        "    return False",
        ("tests/instruments/fracture/test_carried.py",),
    ),
    Fault(
        "a bias for each of several layers of one weight read as copies",
        "responses.py",
        "        if id(bias) in apart:",
        "        if False:",
        ("tests/instruments/fracture/test_carried.py",),
    ),
    Fault(
        "a normalisation that the context chooses passed over",
        "instruments/fracture/carried.py",
        "    used = {site for site in sites if bool((found[site].flatten(1) != 0).any(1).all())}",
        "    used = set(sites)",
        ("tests/instruments/fracture/test_carried.py",),
    ),
    Fault(
        "modules in a plain list passed over",
        "responses.py",
        "        for name, values in kept_tensors(module, plain=True).items()",
        "        for name, values in kept_tensors(module).items()",
        ("tests/instruments/fracture/test_carried.py",),
    ),
    Fault(
        "a layer that runs at no position read",
        "responses.py",
        "    layers = tuple(_tied([layer for layer in every if layer.inputs.shape[1]], modules))",
        "    layers = tuple(_tied(every, modules))",
        ("tests/instruments/fracture/test_contexts.py",),
    ),
    Fault(
        "weights in another order that move those that hand a value on",
        "instruments/fracture/shuffled.py",
        "        places = ((flat != 0) & (flat != 1)).nonzero()[:, 0]",
        "        places = (flat != 0).nonzero()[:, 0]",
        ("tests/instruments/fracture",),
    ),
    Fault(
        "what enters the layer that was moved last, kept where it is read",
        "explore/compiled.js",
        "wholes(this.held[after % 2], after)",
        "wholes(this.held[start % 2], after)",
        ("tests/explore",),
    ),
    Fault(
        "a node of an archive without sources, computed",
        "data/genome_archive.py",
        "    return {(a, b): weight for (a, b), weight in links.items() if b in known}",
        "    return dict(links)",
        ("tests/data/test_genome_archive.py",),
    ),
    Fault(
        "a detectable gain without the variance of one more copy",
        "power.py",
        "    error = math.sqrt(float(np.var(nulls, ddof=1)) * (1 + 1 / num))",
        "    error = math.sqrt(float(np.var(nulls, ddof=1)))",
        ("tests/test_power.py",),
    ),
    Fault(
        "of the positions at which a layer is used, the first alone",
        "responses.py",
        "    return (layer.gradients != 0).any(3).any(0).any(0).nonzero()[:, 0]",
        "    return (layer.gradients != 0).any(3).any(0).any(0).nonzero()[:1, 0]",
        ("tests/test_responses.py",),
    ),
    Fault(
        "an overlap summed over pairs of positions without the move of the outputs",
        "responses.py",
        "    moved_a, moved_g = a[rows], g[outputs][:, rows]",
        "    moved_a, moved_g = a[rows], g[:, rows]",
        ("tests/test_responses.py",),
    ),
    Fault(
        "words that have rows of their own, read in those of others",
        "encoding/fed.py",
        "        rows = chosen if self.fed.rows is None else self.fed.rows[chosen].flatten()",
        "        rows = chosen if self.fed.rows is None else self.fed.rows[chosen].flip(1).flatten()",
        ("tests/encoding/test_encode.py",),
    ),
    Fault(
        "a second object drawn as one of the first kinds",
        "tasks/sprites.py",
        '            _draw(image, kinds + values[name], values[f"place of the {name}"], corner)',
        '            _draw(image, values[name], values[f"place of the {name}"], corner)',
        ("tests/tasks/test_sprites.py",),
    ),
    Fault(
        "the flip's share of a weight's response without the response itself",
        "explore/drawing.py",
        "    kept = [(own + overlap_of_weights(layer, flip)) / 2 for own, layer in zip(energies, read.layers, strict=True)]",
        "    kept = [overlap_of_weights(layer, flip) for own, layer in zip(energies, read.layers, strict=True)]",
        ("tests/explore",),
    ),
    Fault(
        "maps of the explorer that stay behind when WebGL draws",
        "explore/engine.js",
        "    for (const held of this.of(network).values()) held.from = Math.min(held.from, layer);",
        "    for (const held of this.of(network).values()) held.from = Math.min(held.from, network.depth());",
        ("tests/explore",),
    ),
    Fault(
        "the explorer's most and least coherent weights exchanged",
        "explore/explorer.js",
        '    const byShare = (sign) => () => this.live().sort((a, b) => sign * (this.of("kept", b) - this.of("kept", a)));',
        '    const byShare = (sign) => () => this.live().sort((a, b) => sign * (this.of("kept", a) - this.of("kept", b)));',
        ("tests/explore",),
    ),
    Fault(
        "a permutation p that does not count the value itself",
        "stats.py",
        "    return (1 + beyond) / (1 + len(null))",
        "    return beyond / len(null)",
        ("tests/test_stats.py",),
    ),
    Fault(
        "no variance of one more untrained network",
        "stats.py",
        "    between_networks = nulls.mean(2).var(0, ddof=1) * (1 + 1 / num_nulls)",
        "    between_networks = nulls.mean(2).var(0, ddof=1)",
        ("tests/test_stats.py",),
    ),
    Fault(
        "means that ignore the cluster",
        "stats.py",
        "    return ClusterMeans(ids, sums / counts, counts)",
        "    return ClusterMeans(ids, (sums / counts).mean().expand(len(ids)), counts)",
        ("tests/test_stats.py",),
    ),
    Fault(
        "an estimate told as if it had been measured",
        "verdict/answers.py",
        '    return measured if novel.basis == "measured" else estimated',
        "    return measured",
        ("tests/verdict",),
    ),
    Fault(
        "a cut in front of every call taken for the headline cut",
        "instruments/recombination/rules.py",
        "    return not cut.affine and not cut.last",
        "    return not cut.last",
        ("tests/instruments/recombination",),
    ),
    Fault(
        "no variance between fits of a probe",
        "stats.py",
        "    of_fits = float(units.double().mean(1).var()) if len(units) > 1 else 0.0",
        "    of_fits = 0.0",
        ("tests/test_stats.py",),
    ),
    Fault(
        "ways to remove a part that may disagree in sign",
        "instruments/subnetworks/decision.py",
        "    if any(mean_necessity(effects) <= 0 for how, effects in found.ablations.items() if how != AT_RANDOM):",
        "    if False:",
        ("tests/instruments/subnetworks/test_decision.py",),
    ),
    Fault(
        "novel inputs that are answered otherwise and still count as right",
        "verdict/judging.py",
        "    units = [max(0.0, c + e - 1) for c, e in pairs]",
        "    units = [c for c, e in pairs]",
        ("tests/verdict",),
    ),
    Fault(
        "activations that are read without a copy",
        "hooks.py",
        "        calls.append(tensor.detach().clone())  # cloned: a later in-place module would change it",
        "        calls.append(tensor.detach())",
        ("tests/test_subject.py",),
    ),
    Fault(
        "findings without control of false discovery",
        "evidence.py",
        "    return list(zip((m for m, _ in tested), false_discovery([p for _, p in tested]), strict=True))",
        "    return tested",
        ("tests/test_evidence.py",),
    ),
    Fault(
        "what breaks told from numbers that the access level leaves out",
        "verdict/judging.py",
        "    e_low, e_high = (e.interval.low, e.interval.high) if e and e.interval else (0.0, 1.0)",
        "    e_low, e_high = (e.interval.low, e.interval.high) if e and e.interval else (1.0, 0.0)",
        ("tests/verdict",),
    ),
    Fault(
        "a layer that is chosen on the texts it was fitted on",
        "instruments/polar/search.py",
        '    las = [scored.micro("LAS") for scored in score(polar, dev)]',
        '    las = [scored.micro("LAS") for scored in score(polar, train)]',
        ("tests/instruments/test_polar_fit.py",),
    ),
    Fault(
        "false discovery controlled within each instrument only",
        "verdict/judging.py",
        '    if answer == "works" and novel not in findings(evidence):',
        '    if answer == "works" and novel not in item.findings():',
        ("tests/verdict",),
    ),
    Fault(
        "a p of exactly 0 where nothing varies",
        "stats.py",
        "    return np.maximum(ps, np.finfo(np.float64).tiny).tolist()",
        "    return np.where(errors > 0, ps, 0.0).tolist()",
        ("tests/test_stats.py",),
    ),
    Fault(
        "gold figures of held-out texts that claim to need trained inputs only",
        "instruments/polar/figures.py",
        "    return DetailTable(name=BY.format(of), columns=columns, rows=tuple(rows), note=note, level=LEVEL)",
        "    return DetailTable(name=BY.format(of), columns=columns, rows=tuple(rows), note=note, level=0)",
        ("tests/instruments/test_polar.py", "tests/conformance"),
    ),
    Fault(
        "a novel score that needs no labels",
        "instruments/systematicity/instrument.py",
        '    key="novel_score",\n    title="novel score",\n    level=2,',
        '    key="novel_score",\n    title="novel score",\n    level=0,',
        ("tests/test_access.py", "tests/instruments/test_systematicity.py"),
    ),
    Fault(
        "fragments equivalent on fewer contexts than asked",
        "substitution/fragments.py",
        "        pair = pair[shared >= search.k]",
        "        pair = pair[shared >= 1]",
        ("tests/test_substitution.py",),
    ),
    Fault(
        "synonyms counted in the novel score",
        "instruments/systematicity/instrument.py",
        '    found = {"novel": (NOVEL, f"novel combinations {TOLD[\'outside\']}", masks["outside"][inverse].nonzero()[:, 0])}',
        '    found = {"novel": (NOVEL, f"novel combinations {TOLD[\'outside\']}", torch.arange(len(novel)))}',
        ("tests/instruments/test_systematicity.py",),
    ),
    Fault(
        "a score on too few novel combinations",
        "instruments/systematicity/instrument.py",
        "    least=ENOUGH,\n    headline=True,",
        "    headline=True,",
        ("tests/instruments/test_systematicity.py",),
    ),
    Fault(
        "untrained copies that keep the trained weights",
        "subject.py",
        "redrawn(self.module, generator, self.running) if self.fresh is None else self.fresh(generator).to(self.device)",
        "self.module",
        ("tests/test_subject.py",),
    ),
    Fault(
        "shuffled targets that are not shuffled",
        "instruments/systematicity/nulls.py",
        "        mixed = torch.randperm(len(examples), generator=generator)",
        "        mixed = rows",
        ("tests/instruments/test_systematicity.py",),
    ),
    Fault(
        "problems in the order in which they were drawn",
        "instruments/subnetworks/problems.py",
        '        return poses.nonsense(seed, num, pool="mask", generator=rng("nonsense", use, seed)).in_canonical_order()',
        '        return poses.nonsense(seed, num, pool="mask", generator=rng("nonsense", use, seed))',
        ("tests/instruments/subnetworks/test_path.py",),
    ),
    Fault(
        "texts in the order in which they were drawn",
        "instruments/polar/instrument.py",
        "            graphs[split] = sorted(some, key=lambda graph: (graph.words, graph.mentions, graph.edges))",
        "            graphs[split] = some",
        ("tests/conformance",),
    ),
    Fault(
        "a mask judged on fewer problems than an interval needs",
        "instruments/subnetworks/instrument.py",
        "        if fewest < MIN_UNITS:",
        "        if fewest < 1:",
        ("tests/conformance",),
    ),
    Fault(
        "jobs whose worker died and that are not tried again",
        "jobs.py",
        "        again = [index for index, errors in losses.items() if 0 < len(errors) < TRIES[engine.backend]]",
        "        again = []",
        ("tests/test_jobs.py",),
    ),
    Fault(
        "lost jobs that are tried again side by side",
        "jobs.py",
        '        indices = fresh or (again if engine.backend == "ray" else again[:1])',
        "        indices = fresh or again",
        ("tests/test_jobs.py",),
    ),
    Fault(
        "results in the order in which jobs finish",
        "jobs.py",
        "    return [results[index] for index in range(len(items))]",
        "    return list(results.values())",
        ("tests/test_jobs.py",),
    ),
    Fault(
        "an error of a job taken for the death of its worker",
        "jobs.py",
        "                except (MemoryError, *executor.died) as error:",
        "                except Exception as error:",
        ("tests/test_jobs.py",),
    ),
    Fault(
        "as many torch threads in a job as outside",
        "jobs.py",
        "    torch.set_num_threads(1)",
        "    pass",
        ("tests/test_jobs.py",),
    ),
    Fault(
        "as many threads of other libraries in a process as outside",
        "jobs.py",
        '    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")',
        "    limits = {}",
        ("tests/test_jobs.py",),
    ),
    Fault(
        "a next job that waits until the caller asks for a result",
        "jobs.py",
        "        send()  # first, so that `running` is empty only at the end",
        "        pass",
        ("tests/test_jobs.py",),
    ),
    Fault(
        "jobs that go on when their results are no longer wanted",
        "jobs.py",
        "        pool.shutdown(kill_workers=True)\n        raise",
        "        raise",
        ("tests/test_jobs.py",),
    ),
    Fault(
        "processes that do not look for their parent",
        "jobs.py",
        "timeout=SECONDS_IDLE, initializer=end_with, initargs=(os.getpid(),), env",
        "timeout=SECONDS_IDLE, env",
        ("tests/test_children.py",),
    ),
    Fault(
        "a balanced layer that keeps its basis",
        "responses.py",
        "    return white @ (turn * strengths.clamp(min=0).pow(0.25))",
        "    return torch.eye(len(own), dtype=own.dtype)",
        ("tests/test_responses.py",),
    ),
    Fault(
        "responses to a weight that add up over positions only after they are squared",
        "responses.py",
        '        found.append(torch.einsum("...pc,cpji->...ji", factors, own * own[outputs][:, rows]))',
        '        found.append(torch.einsum("pti,cptj->ji", a.square(), g[..., start : start + step].square()))',
        ("tests/test_responses.py",),
    ),
    Fault(
        "a regularity that is no group",
        "regularity.py",
        "        if len(known) != len(joint) or any(tuple(one[two].tolist()) not in known for one in joint for two in joint):",
        "        if False:",
        ("tests/test_responses.py",),
    ),
    Fault(
        "entities of a genome that are expanded",
        "data/genomes.py",
        "        return fromstring(content, forbid_dtd=True)",
        "        return fromstring(content, forbid_dtd=False, forbid_entities=False, forbid_external=False)",
        ("tests/data/test_genomes.py",),
    ),
    Fault(
        "novel labels given at access level 1",
        "audit.py",
        "            allowing = Unlabelled(task) if level == 1 else task",
        "            allowing = task",
        ("tests/instruments/recombination/test_recombination_apart.py",),
    ),
    Fault(
        "an effect of a part always taken from its own context",
        "instruments/recombination/contexts.py",
        "    same, other = difference(own), difference((own + moved) % number)",
        "    same, other = difference(own), difference(own)",
        ("tests/instruments/recombination/test_recombination_contexts.py",),
    ),
    Fault(
        "copies by context said where the effect fails in its own context too",
        "verdict/sharing.py",
        "    copied = [pair for pair, each in by_pair.items() if SAME in each and _works(each[SAME]) and _fails(each[OTHER])]",
        "    copied = [pair for pair, each in by_pair.items() if SAME in each and _fails(each[OTHER])]",
        ("tests/verdict/test_answers.py",),
    ),
    Fault(
        "the estimate without novel inputs read at the last cut that holds the parts",
        "instruments/recombination/instrument.py",
        '    cuts = [(EARLY, at, "") for at in holds[:1]] + ([(CONSTRUCTED, first, input_note)] if first.cut.affine else [])',
        '    cuts = [(EARLY, at, "") for at in holds[-1:]] + ([(CONSTRUCTED, first, input_note)] if first.cut.affine else [])',
        ("tests/instruments/recombination/test_recombination_planted.py",),
    ),
    Fault(
        "the way in named where inputs do not certainly get less far than states",
        "verdict/judging.py",
        "        return e_high < min(WORKS, c_low)",
        "        return e_high < WORKS",
        ("tests/verdict/test_answers.py",),
    ),
    Fault(
        "cuts left out evenly, so that the last one that holds the parts is passed over",
        "instruments/recombination/curves.py",
        "    return sorted({total - 1, *(total - 1 - max(k + 1, round(ratio**k)) for k in range(most - 1))})",
        "    return sorted({round(k * (total - 1) / (most - 1)) for k in range(most)})",
        ("tests/instruments/recombination/test_recombination_deep.py",),
    ),
    Fault(
        "decoding that is fed the right tokens",
        "computation/decoding.py",
        "                token = module.step(token, read).argmax(-1)",
        "                token = module.step(prefix[rows, len(tokens)].to(subject.device), read).argmax(-1)",
        ("tests/computation/test_decoding.py",),
    ),
    Fault(
        "odds of nodes that do not have one step",
        "computation/cells.py",
        "step_hashes(computations)[nodes]], 1)",
        "computations.operation[nodes].astype(np.uint64)], 1)",
        ("tests/computation/test_analysis.py",),
    ),
    Fault(
        "substitution of subgraphs that is one of values",
        "computation/coverage.py",
        "    return Covered(_reach(trained, tested, *values), _reach(trained, tested, *subgraphs))",
        "    return Covered(_reach(trained, tested, *values), _reach(trained, tested, *values))",
        ("tests/computation/test_coverage.py",),
    ),
    Fault(
        "a call that takes substitution for the operation",
        "computation/analysis.py",
        "        beyond = _above(BEYOND, sides.cells, sides.nodes, sides.tables, new, LEAST_NEW)",
        "        beyond = _above(INSIDE, sides.cells, sides.nodes, sides.tables, new, LEAST_NEW)",
        ("tests/computation/test_analysis.py",),
    ),
    Fault(
        "nodes of a file behind an error counted as steps",
        "instruments/subgraphs/instrument.py",
        "            own.append((found.values, own_steps(side.graphs, labels, found.values)))",
        "            own.append((found.values, labels.read & ~side.graphs.is_source))",
        ("tests/instruments/subgraphs/test_predictions.py",),
    ),
    Fault(
        "steps that a file leaves out, not counted as wrong",
        "computation/analysis.py",
        "        return requested & labels.clean\n",
        "        return requested & labels.clean & ~missing\n",
        ("tests/instruments/subgraphs/test_predictions.py",),
    ),
    Fault(
        "positions without an offset",
        "models/causal.py",
        "            position = (torch.rand(len(source), device=source.device) * (room + 1)).long()",
        "            position = (torch.rand(len(source), device=source.device) * room).long()",
        ("tests/models/test_reference.py",),
    ),
    Fault(
        "a forecast that has seen what it predicts",
        "computation/forecast.py",
        "    before = judged & (computations.layers <= depth)",
        "    before = judged & (computations.layers <= depth + 1)",
        ("tests/computation/test_forecast.py",),
    ),
    Fault(
        "a floor of every unit that counts beyond the density",
        "training/sparse.py",
        "            found = flat.index_fill(0, kept, -1.0).topk(target - len(kept), sorted=False)",
        "            found = flat.index_fill(0, kept, -1.0).topk(target, sorted=False)",
        ("tests/training/test_sparse.py",),
    ),
    Fault(
        "edges to what is not asked",
        "instruments/circuits/nodes.py",
        "            counts = counts * answered.to(counts.device)[:, None]",
        "            counts = counts * 1",
        ("tests/instruments/circuits/test_nodes.py",),
    ),
    Fault(
        "an adversary that chooses for each example where it should for the batch",
        "instruments/circuits/checks.py",
        "            size = (len(batch), len(kept)) if each else (len(kept),)",
        "            size = (len(batch), len(kept))",
        ("tests/instruments/circuits/test_search.py",),
    ),
    Fault(
        "off-target damage read off the circuit where it should be without it",
        "instruments/circuits/reading.py",
        "                units=losses(~self.circuit.kept) - own,",
        "                units=losses(self.circuit.kept) - own,",
        ("tests/instruments/circuits/test_circuits.py",),
    ),
    Fault(
        "columns as wide as whole names of places",
        "explore/circuit.js",
        "place.split(/\\.(?=\\D)/)",
        "[place]",
        ("tests/explore/test_circuit_page.py",),
    ),
    Fault(
        "a target out of reach told as gates that closed",
        "instruments/circuits/reading.py",
        "    if found.order.collapsed:",
        "    if found.order.collapsed or found.smallest is None:",
        ("tests/instruments/circuits/test_circuits.py",),
    ),
    Fault(
        "ties of gates at the clamp",
        "instruments/circuits/search.py",
        " + 0.01 * self.beyond.tanh().double()",
        "",
        ("tests/instruments/circuits/test_search.py",),
    ),
    Fault(
        "dead inputs that count as nothing in a compacted map",
        "instruments/circuits/search.py",
        "    constant = (weight[rows] * (means * ~inside.to(means.device))).sum(1)",
        "    constant = (weight[rows] * 0).sum(1)",
        ("tests/instruments/circuits/test_search.py",),
    ),
    Fault(
        "a cut edge that passes on nothing in the place of its source's mean",
        "instruments/circuits/weights.py",
        "    constant = (weight * (1 - gates)) @ means",
        "    constant = (weight * 0) @ means",
        ("tests/instruments/circuits/test_weights.py",),
    ),
    Fault(
        "weights outside the nodes of a circuit that are cut with it",
        "instruments/circuits/weights.py",
        "        return self._losses(examples, 1 - kept.float(), outside=1.0)",
        "        return self._losses(examples, 1 - kept.float(), outside=0.0)",
        ("tests/instruments/circuits/test_weights.py",),
    ),
    Fault(
        "a sink of attention that takes no share",
        "models/transformer.py",
        "    return torch.cat([scores, resting], -1).softmax(-1)[..., :-1] @ value",
        "    return scores.softmax(-1) @ value",
        ("tests/models/test_variants.py",),
    ),
    Fault(
        "a bigram table that sparse training prunes",
        "training/sparse.py",
        "weight.ndim >= 2 and id(weight) not in dense]",
        "weight.ndim >= 2]",
        ("tests/models/test_variants.py",),
    ),
    Fault(
        "a statement of training with a novel combination",
        "tasks/code.py",
        '    ids = _combinations(name, coverage, seed)["train"]\n    return list(',
        '    ids = _combinations(name, coverage, seed)["novel"]\n    return list(',
        ("tests/tasks/test_code.py",),
    ),
    Fault(
        "words of like frequency in one group with all others",
        "text/words.py",
        "    num = max(1, len(counts) // OF_LIKE_FREQUENCY) if num is None else num",
        "    num = 1 if num is None else num",
        ("tests/text/test_words.py",),
    ),
    Fault(
        "a text that a tokenizer does not give back, coded all the same",
        "encoding/scoring.py",
        '        if back.removeprefix(" ") != text.removeprefix(" "):  # a tokenizer may add a blank before the first word',
        "        if not back and text:",
        ("tests/encoding/test_scoring.py",),
    ),
    Fault(
        "a prequential code that learns nothing",
        "training/online.py",
        "            optimiser.step()",
        "            optimiser.zero_grad()",
        ("tests/training/test_online.py",),
    ),
    Fault(
        "the end of a text is charged to its last word",
        "encoding/scoring.py",
        "    total = np.concatenate([[0.0], np.cumsum(scored.bits[:-1])])\n"
        '    upto = np.searchsorted(scored.ends[:-1], np.asarray(ends), side="right")',
        "    total = np.concatenate([[0.0], np.cumsum(scored.bits)])\n"
        '    upto = np.searchsorted(scored.ends, np.asarray(ends), side="right")',
        ("tests/encoding/test_scoring.py",),
    ),
    Fault(
        "words of another network that its text does not hold",
        "instruments/langue/systems.py",
        '    words = shared_words(vocabulary.words, often, least=FEWEST_WORDS, what=f"the text and that of {name}")',
        "    words = list(vocabulary.words)",
        ("tests/instruments/test_langue.py",),
    ),
    Fault(
        "contexts that the tokenizer refuses are counted",
        "instruments/langue/states.py",
        "    kept = [graph for k, graph in enumerate(graphs) if k not in refused]",
        "    kept = list(graphs)",
        ("tests/instruments/test_langue.py",),
    ),
    Fault(
        "a null that keeps the chosen layer",
        "instruments/langue/states.py",
        "        chosen=matched.argmax(0),",
        "        chosen=np.full(draws, best.layer),",
        ("tests/instruments/test_langue.py",),
    ),
    Fault(
        "two systems that tell no word apart agree on all of them",
        "relations/neighbours.py",
        "generator.random(similarity.shape)",
        "np.linspace(0, 1, similarity.size).reshape(similarity.shape)",
        ("tests/relations/test_paired.py",),
    ),
    Fault(
        "a picture of units that leaves out those without a row",
        "report/units.py",
        "    bars = len(rows) < len(measure.repeats) or highest * LEAST_STEP > TALLEST",
        "    bars = highest * LEAST_STEP > TALLEST",
        ("tests/report/test_units.py",),
    ),
    Fault(
        "what was given to units without ids, one place off",
        "report/units.py",
        '            texts.get(measure.ids[k], ""),',
        '            texts.get(ids[k], ""),',
        ("tests/report/test_units.py",),
    ),
    Fault(
        "links in an image, which no screen reader tells",
        "report/canvas.py",
        '        root.set("role", "group")  # links inside role="img" would be unreachable',
        '        root.set("role", "img")',
        ("tests/report/test_units.py",),
    ),
    Fault(
        "a command that repeats an audit with another seed",
        "report/repeat.py",
        '    words += ["--seed", str(seed), "--effort", effort, "--level", str(level)]',
        '    words += ["--effort", effort, "--level", str(level)]',
        ("tests/report/test_otherwise.py", "tests/cli/test_commands.py"),
    ),
    Fault(
        "inputs of novel units kept below the access that they need",
        "evidence.py",
        "    return {k: text for k, text in texts.items() if k in ids}",
        "    return dict(texts)",
        ("tests/test_evidence.py",),
    ),
    Fault(
        "a module that nnsight traces not given its only input",
        "keywords.py",
        "            parameters = parameters[1:]  # a wrapper, such as nnsight's, has the signature of the unbound method",
        "            pass",
        ("tests/test_keywords_and_columns.py",),
    ),
    Fault(
        "what would make a line say otherwise read off nulls that do not count",
        "report/otherwise.py",
        "    counting = [null for null in measure.nulls if null.counts and null.values]",
        "    counting = [null for null in measure.nulls if null.values]",
        ("tests/report/test_otherwise.py",),
    ),
    Fault(
        "an example in a docstring shows what it does not give",
        "stats.py",
        "        ([3, 7], [1.0, 0.5], [1, 2])",
        "        ([7, 3], [0.5, 1.0], [2, 1])",
        ("tests/test_docstring_examples.py",),
    ),
)


def main(numbers: list[int]) -> None:
    chosen = [FAULTS[number - 1] for number in numbers] if numbers else FAULTS
    caught = 0
    for fault in chosen:
        failed = first_failure(fault)
        caught += bool(failed)
        print(f"{'caught  ' if failed else 'SURVIVED'} {fault.what}{f': {failed}' if failed else ''}", flush=True)
    print(f"{caught} of {len(chosen)} caught")


def first_failure(fault: Fault) -> str:
    """The first test that fails on a copy of the source with the fault; empty when none does."""
    with TemporaryDirectory() as folder:
        source = copytree(ROOT / "src", Path(folder) / "src")
        path = source / "assay" / fault.path
        content = path.read_text()
        if content.count(fault.line) != 1:
            raise SystemExit(f"{fault.path} must hold this line once: {fault.line}")
        path.write_text(content.replace(fault.line, fault.fault))
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "--tb=no", "--jaxtyping-packages=", *fault.tests],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    if run.returncode not in (0, 1):
        raise SystemExit(run.stdout + run.stderr)
    return next((line.split()[1] for line in run.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))), "")


if __name__ == "__main__":
    main([int(number) for number in sys.argv[1:]])
