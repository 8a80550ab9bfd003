"""ScanAlign: GPT4Scene's training set, built anew from the published annotations and anybody's marked scenes."""
