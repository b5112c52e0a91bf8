# what the rules of finetuning.smk ask of the configuration


def fine_tuned(task):
    """Returns the sets of features that fine-tuning adds to a task: MODEL.METHOD."""
    settings = task_settings(task)
    tuning = settings["fine_tune"]
    return (
        [f"{model}.{tuning['method']}" for model in settings["models"]]
        if tuning
        else []
    )


def fine_tune_options(wildcards):
    settings = task_settings(wildcards.task)
    return options(**settings["fine_tune"], precision=precision_option(settings))
