module bast.invalid/bench

go 1.19
