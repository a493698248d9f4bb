#!/bin/sh
# Try one edit after another. An edit is kept only if the verdict says that it is better; the budget holds over all edits.
set -e
train="python examples/judge/train.py"
options="" name=start
for edit in "--images 1000" "--lr 0.02" "--dropout 0.02"; do
  new=$(echo "$name$edit" | tr -d ' ')
  cat > claims.yaml <<END
metrics: {val_accuracy: {better: higher, low: 0, high: 1}}
seeds: {from: 3, most: 6}
claims:
  - says: $new is better than $name.
    metric: val_accuracy
    contrast: {plus: {model: $new}, minus: {model: $name}}
    expect: "> 0"
END
  kept=no
  for seed in 0 1 2 3 4 5; do
    [ -f "logs/$name-$seed.csv" ] || $train "$name" $options --seed $seed
    $train "$new" $options $edit --seed $seed
    [ $seed -ge 2 ] || continue   # the first verdict needs three seeds
    python examples/judge/collect.py
    status=0
    python -m ablations judge results.csv claims.yaml --budget budget.json > verdict.txt || status=$?
    case $status in
      0) kept=yes; break ;;       # supported
      3) ;;                       # open: one more seed
      4) break ;;                 # contradicted: it is worse
      *) exit 1 ;;                # the table or the claims are wrong
    esac
  done
  echo "$edit after $((seed + 1)) seeds: kept $kept"
  [ $kept = no ] || { options="$options $edit"; name=$new; }
done
