import torch

from curation.train.device import CPU, in_bfloat16, logits_at_once, read_later, send


def test_on_a_cpu_nothing_is_copied():
    values = torch.arange(3.0)
    assert send(values, CPU) is values
    assert read_later(values)() == [0.0, 1.0, 2.0]


def test_pieces_of_the_loss_are_some_rows_of_the_largest_vocabulary():
    assert logits_at_once(CPU) // 180_445 >= 16


def test_layers_compute_in_bfloat16_where_it_is_asked_for_or_on_a_gpu():
    gpu = torch.device("cuda")
    found = [(in_bfloat16(CPU, one), in_bfloat16(gpu, one)) for one in ("auto", "float32", "bfloat16")]
    assert found == [(False, True), (False, False), (True, True)]
