"""The names of the numbers that ``by_hand`` computes, with their meanings."""

FIGURES = {
    **{
        f"x{i}": f"the mean grey level of the image's quarter {i}, from 0 to 1" for i in range(1, 5)
    },
    **{f"w{n}{i}": f"hidden neuron {n}'s weight for x{i}" for n in (1, 2) for i in range(1, 5)},
    **{f"b{n}": f"hidden neuron {n}'s bias" for n in (1, 2)},
    **{f"z{n}": f"hidden neuron {n}'s weighted sum" for n in (1, 2)},
    **{f"h{n}": f"hidden neuron {n}'s output" for n in (1, 2)},
    **{f"v{k}{n}": f"output {k}'s weight for hidden neuron {n}" for k in (1, 2) for n in (1, 2)},
    **{f"c{k}": f"output {k}'s bias" for k in (1, 2)},
    **{f"s{k}": f"output {k}'s weighted sum" for k in (1, 2)},
    **{f"o{k}": f"output {k}" for k in (1, 2)},
    **{f"y{k}": f"what output {k} should be" for k in (1, 2)},
    "cost": "the cost J",
    **{f"d{k}": f"the error of output {k}: dJ/ds{k}" for k in (1, 2)},
    **{f"e{n}": f"the error of hidden neuron {n}: dJ/dz{n}" for n in (1, 2)},
    **{f"gv{k}{n}": f"dJ/dv{k}{n}" for k in (1, 2) for n in (1, 2)},
    **{f"gw{n}{i}": f"dJ/dw{n}{i}" for n in (1, 2) for i in range(1, 5)},
    "numeric_v11": "dJ/dv11 by finite differences",
    "numeric_w11": "dJ/dw11 by finite differences",
    "by_program": "the largest difference of any derivative from dlcli's",
    "by_differences": "the largest difference of any derivative from finite differences",
    "cost_after": "the cost after one step against the gradient, with learning rate 1",
    "cost_uphill": "the cost after the same step in the opposite direction",
}
